/* forecast.h - what a run of score.h or choices.h will need, told before it starts. */
#ifndef BANTAM_FORECAST_H
#define BANTAM_FORECAST_H

#include "verify/choices.h"
#include "verify/score.h"

struct forecast {
    double seconds;
    uint64_t memory_nbytes, disk_nbytes;        /* at their largest; disk: of hidden states that do not fit in memory */
};

/* Opens the models' streams, multiplies a piece of each one's weights to see how fast that goes here and now, and counts. Takes some
 * tenths of a second. What would be refused before the first layer is refused here. */
int forecast_score(const struct score_models *, const struct score_input *, const struct score_options *, struct forecast *, struct fail *);

/* The same for questions that are planned already, with the options that they were planned with. */
int forecast_choices(const struct choices *, const struct choices_options *, struct forecast *, struct fail *);

/* One after the other. */
void forecast_add(struct forecast *, const struct forecast *more);

#endif
