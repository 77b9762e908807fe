/* `wc loop` and `wc layers`. */
#ifndef WC_TIMING_H
#define WC_TIMING_H

/* Both read "[N [W]]" and print the answer, or an error. */
void wc_time_loop(char *rest);
void wc_time_layers(char *rest);

#endif
