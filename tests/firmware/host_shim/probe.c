/* Asks CMSIS-NN's own wrappers which kernel they would call, and its kernels how much scratch they want. */
#include "arm_nnfunctions.h"

static arm_cmsis_nn_status probe_1x1_fast() { return 1; }
static arm_cmsis_nn_status probe_1x1() { return 2; }
static arm_cmsis_nn_status probe_1_x_n() { return 3; }
static arm_cmsis_nn_status probe_generic() { return 4; }
static arm_cmsis_nn_status probe_depthwise_3x3() { return 5; }
static arm_cmsis_nn_status probe_depthwise_opt() { return 6; }
static arm_cmsis_nn_status probe_depthwise() { return 7; }

#define arm_convolve_1x1_s8_fast probe_1x1_fast
#define arm_convolve_1x1_s8 probe_1x1
#define arm_convolve_1_x_n_s8 probe_1_x_n
#define arm_convolve_s8 probe_generic
#define arm_depthwise_conv_3x3_s8 probe_depthwise_3x3
#define arm_depthwise_conv_s8_opt probe_depthwise_opt
#define arm_depthwise_conv_s8 probe_depthwise
#define arm_convolve_wrapper_s8_get_buffer_size unused_convolve_size
#define arm_depthwise_conv_wrapper_s8_get_buffer_size unused_depthwise_size
#include "ConvolutionFunctions/arm_convolve_wrapper_s8.c"
#include "ConvolutionFunctions/arm_depthwise_conv_wrapper_s8.c"

/* g: in_h in_w in_c out_h out_w out_c kernel_h kernel_w stride_h stride_w dilation_h dilation_w pad_top pad_left */
#define DIMS(g)                                                   \
    const cmsis_nn_dims in = {1, g[0], g[1], g[2]};                \
    const cmsis_nn_dims out = {1, g[3], g[4], g[5]};               \
    const cmsis_nn_dims filter = {g[5], g[6], g[7], g[2]}

int probe_convolve(const int32_t *g)
{
    DIMS(g);
    const cmsis_nn_conv_params p = {0, 0, {g[9], g[8]}, {g[13], g[12]}, {g[11], g[10]}, {-128, 127}};
    return arm_convolve_wrapper_s8(0, &p, 0, &in, 0, &filter, 0, 0, 0, &out, 0);
}

int probe_depthwise_conv(const int32_t *g)
{
    DIMS(g);
    const cmsis_nn_dw_conv_params p = {0, 0, g[5] / g[2], {g[9], g[8]}, {g[13], g[12]}, {g[11], g[10]}, {-128, 127}};
    return arm_depthwise_conv_wrapper_s8(0, &p, 0, &in, 0, &filter, 0, 0, 0, &out, 0);
}

int probe_convolve_bytes(const int32_t *g)
{
    DIMS(g);
    (void)out;
    return arm_convolve_s8_get_buffer_size(&in, &filter);
}

int probe_depthwise_opt_bytes(const int32_t *g)
{
    DIMS(g);
    (void)out;
    return arm_depthwise_conv_s8_opt_get_buffer_size(&in, &filter);
}

int probe_average_bytes(const int32_t *g)
{
    return arm_avgpool_s8_get_buffer_size(g[4], g[2]);
}
