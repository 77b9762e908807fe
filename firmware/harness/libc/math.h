/* What integer kernels may expect of math.h: only what a compiler turns into instructions. */
#ifndef WC_MATH_H
#define WC_MATH_H

/* clang's float.h has them too */
#ifndef INFINITY
#define INFINITY __builtin_inff()
#endif
#ifndef NAN
#define NAN __builtin_nanf("")
#endif

static inline float fabsf(float x) { return __builtin_fabsf(x); }
static inline double fabs(double x) { return __builtin_fabs(x); }

#endif
