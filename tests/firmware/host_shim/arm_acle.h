/* CMSIS-NN asks for the compiler's Arm intrinsics; on a host cmsis_compiler.h beside this file provides those it uses. */
