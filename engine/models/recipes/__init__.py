"""How the zoo's models were made: data, training, quantisation. Needs the extra ``train``; the site never does."""
