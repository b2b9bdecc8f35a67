/* plot.h - drawings for a page (html.h), as SVG: axes, lines, numbered points, bars, strips of shades, histograms.
 *
 * Each drawing is made twice, for wide and for narrow screens, and the style sheet shows one of them: text keeps its size.
 * No meaning hangs on color alone: lines differ in dashes, points carry numbers, shades have a scale beside them. */
#ifndef BANTAM_PLOT_H
#define BANTAM_PLOT_H

#include "tools/html.h"

enum { PLOT_SERIES = 6, PLOT_NEUTRAL = 1000 };      /* lines that can be told apart; what is compared with */

struct plot_axis {
    double low, high;
    bool log;
    const char *title;
    bool whole;                 /* ticks at whole numbers only */
};

/* The axis that shows n values, `stride` bytes apart, with round ends; with `log` those above zero. */
struct plot_axis plot_axis_of(const double *first, size_t n, size_t stride, bool log, const char *title);

struct plot {
    struct html *html;
    double width, height, left, right, top, bottom;     /* of the drawing, and its margins */
    struct plot_axis x, y;
};

/* Draws once for each of the two widths: calls draw(plot, ctx) between <svg> and </svg>. `label` says to those who do not see it
 * what the drawing shows. */
void plot_figure(struct html *, const char *label, double height, void (*draw)(struct plot *, const void *ctx), const void *ctx);

/* To be called from `draw`. Axes first: they say where values lie. */
void plot_axes(struct plot *, const struct plot_axis *x, const struct plot_axis *y);
void plot_line(struct plot *, const double *x, const double *y, size_t n, size_t series);
void plot_point(struct plot *, double x, double y, size_t number, size_t series, const char *title);
void plot_rule(struct plot *, double x, const char *text);      /* a dashed line across, with a remark */

/* A bar from zero in row `row` of `nrows`, with its name above; low..high is the interval, if high > low. */
void plot_bar(struct plot *, size_t row, size_t nrows, const char *name, double value, double low, double high, double most, size_t series,
              const char *text);

/* ---- a histogram ---- */
/* How n values, `stride` bytes apart, are spread on a logarithmic scale: `bins` columns, each `width` of log10 wide, from `low` of
 * log10 on. The first one takes what is below it, 0 too, and the last one what is above. */
struct plot_histogram {
    const double *value;
    size_t n, stride;
    int bins;
    double low, width;
    const char *x_title, *y_title;
};

void plot_histogram(struct html *, const char *label, const struct plot_histogram *);

/* ---- a grid of shades ---- */
struct plot_grid {
    size_t nrows, ncolumns;
    const char *const *row_name;
    const double *value;                /* nrows * ncolumns; NAN: no such cell */
    const char *const *title;           /* of each cell */
    const char *row_title, *column_title;
    bool log;
};

void plot_grid(struct html *, const char *label, const struct plot_grid *);

/* What the lines are: a name for each series. */
void plot_legend(struct html *, const char *const *name, size_t n);

#endif
