/* Commands beyond MLPerf Tiny's, and what the two halves of the protocol share. */
#ifndef WC_EXTENSIONS_H
#define WC_EXTENSIONS_H

/* Answers one `wc ...` command. */
void wc_extension(char *rest);

/* Fills the unused stack with a pattern, so that `wc stack` can tell how deep it went. */
void wc_paint_stack(void);

/* Whether a whole input has been loaded; complains if not. */
int wc_input_loaded(void);

/* Copies the input into place, as every inference needs it. */
void wc_place_input(void);

/* Copies the input into place and runs one inference; 0 if a layer failed. */
int wc_infer_once(void);

/* Drives the port's marker pin, if it has one. */
void wc_mark(int on);

#endif
