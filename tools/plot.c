/* plot.c - see plot.h. */
#include "tools/plot.h"

#include <math.h>
#include <string.h>

static const double widths[] = { 900, 340 };    /* CSS pixels: a page's column, a phone's */
enum { WIDTHS = sizeof widths / sizeof *widths, SHADES = 9, LETTER = 7 };

/* ---- scales ---- */
static double at(const struct plot_axis *a, double v)
{
    double low = a->log ? log10(a->low) : a->low, high = a->log ? log10(a->high) : a->high;
    double x = a->log ? log10(v > a->low ? v : a->low) : v;

    return high > low ? (x - low) / (high - low) : 0.5;
}

static double at_x(const struct plot *p, double v)
{
    return p->left + at(&p->x, v) * (p->width - p->left - p->right);
}

static double at_y(const struct plot *p, double v)
{
    return p->height - p->bottom - at(&p->y, v) * (p->height - p->top - p->bottom);
}

/* 1, 2 or 5 times a power of ten: the smallest step that leaves no more than `most` of them. */
static double nice_step(double range, double most)
{
    double step = pow(10, floor(log10(range / most)));

    for (int i = 0; range / step > most; i++)
        step *= i % 3 == 1 ? 2.5 : 2;
    return step;
}

struct plot_axis plot_axis_of(const double *first, size_t n, size_t stride, bool log, const char *title)
{
    struct plot_axis a = { INFINITY, -INFINITY, log, title, false };
    double step;

    for (size_t i = 0; i < n; i++) {
        double v = *(const double *)(const void *)((const char *)first + i * stride);
        if (!isfinite(v) || (log && !(v > 0)))
            continue;
        a.low = v < a.low ? v : a.low;
        a.high = v > a.high ? v : a.high;
    }
    if (!(a.low <= a.high))
        return (struct plot_axis){ log ? 0.1 : 0, 1, log, title, false };
    if (log) {
        a.low = pow(10, floor(log10(a.low)));
        a.high = pow(10, ceil(log10(a.high)));
        a.high = a.high > a.low ? a.high : 10 * a.low;
        return a;
    }
    a.low = a.low > 0 ? 0 : a.low;
    a.high = a.high > a.low ? a.high : a.low + 1;
    step = nice_step(a.high - a.low, 5);
    a.high = ceil(a.high / step - 1e-9) * step;
    a.low = floor(a.low / step + 1e-9) * step;
    return a;
}

/* "0.001", "1e-05", "12" */
static const char *tick_text(struct html *h, double v)
{
    return fabs(v) >= 1e-4 || v == 0 ? arena_printf(h->arena, "%.4g", v) : arena_printf(h->arena, "%.0e", v);
}

/* ---- marks ---- */
static void put_title(struct html *h, const char *title)
{
    if (!title)
        return;
    html_raw(h, "<title>");
    html_text(h, title);
    html_raw(h, "</title>");
}

static void put_text(struct html *h, double x, double y, const char *anchor, const char *class, const char *text)
{
    html_rawf(h, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    html_text(h, text);
    html_raw(h, "</text>");
}

static void put_tick(struct plot *p, double v, bool vertical)
{
    struct html *h = p->html;
    double x = vertical ? p->left : at_x(p, v), y = vertical ? at_y(p, v) : p->height - p->bottom;

    if (vertical) {
        html_rawf(h, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", x, y, p->width - p->right);
        put_text(h, x - 6, y + 4, "end", "soft", tick_text(h, v));
    } else {
        html_rawf(h, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", x, y);
        put_text(h, x, y + 17, "middle", "soft", tick_text(h, v));
    }
}

static void put_ticks(struct plot *p, const struct plot_axis *a, bool vertical)
{
    double room = vertical ? (p->height - p->top - p->bottom) / 26 : (p->width - p->left - p->right) / 56, step;

    if (a->log) {
        double decades = log10(a->high / a->low), every = ceil(decades / (room > 1 ? room : 1));
        for (int i = 0; i * every <= decades + 1e-9; i++)
            put_tick(p, a->low * pow(10, i * every), vertical);
        return;
    }
    step = nice_step(a->high - a->low, room < 8 ? room : 8);
    step = a->whole && step < 1 ? 1 : step;
    for (int i = (int)ceil(a->low / step - 1e-9); i <= a->high / step + 1e-9; i++)
        put_tick(p, i * step, vertical);
}

void plot_axes(struct plot *p, const struct plot_axis *x, const struct plot_axis *y)
{
    p->x = *x;
    p->y = *y;
    put_ticks(p, y, true);
    put_ticks(p, x, false);
    html_rawf(p->html, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>", p->left, p->top, p->height - p->bottom, p->width - p->right);
    put_text(p->html, 0, 12, "start", "soft", y->title);
    put_text(p->html, p->width - p->right, p->height - 4, "end", "soft", x->title);
}

void plot_line(struct plot *p, const double *x, const double *y, size_t n, size_t series)
{
    struct html *h = p->html;

    html_rawf(h, "<path class=\"s%zu mark\" fill=\"none\" style=\"fill:none\" d=\"", series % PLOT_SERIES);
    for (size_t i = 0; i < n; i++)
        html_rawf(h, "%c%.1f %.1f", i ? 'L' : 'M', at_x(p, x[i]), at_y(p, y[i]));
    html_raw(h, "\"/>");
    for (size_t i = 0; i < n && n <= 48; i++)
        html_rawf(h, "<circle class=\"s%zu dot\" r=\"3.5\" cx=\"%.1f\" cy=\"%.1f\"/>", series % PLOT_SERIES, at_x(p, x[i]), at_y(p, y[i]));
}

void plot_point(struct plot *p, double x, double y, size_t number, size_t series, const char *title)
{
    struct html *h = p->html;

    html_rawf(h, "<g><circle class=\"s%zu dot\" r=\"10\" cx=\"%.1f\" cy=\"%.1f\"/>", series % PLOT_SERIES, at_x(p, x), at_y(p, y));
    put_text(h, at_x(p, x), at_y(p, y) + 4, "middle", "on", arena_printf(h->arena, "%zu", number));
    put_title(h, title);
    html_raw(h, "</g>");
}

void plot_rule(struct plot *p, double x, const char *text)
{
    bool right = at(&p->x, x) > 0.5;

    html_rawf(p->html, "<path class=\"axis\" stroke-dasharray=\"4 4\" d=\"M%.1f %.1fV%.1f\"/>", at_x(p, x), p->top, p->height - p->bottom);
    put_text(p->html, at_x(p, x) + (right ? -6 : 6), p->top + 12, right ? "end" : "start", "soft", text);
}

static size_t class_of(size_t series)
{
    return series == PLOT_NEUTRAL ? PLOT_SERIES : series % PLOT_SERIES;
}

/* As much of a name as fits into `width`, by the usual width of a letter. */
static const char *cut(struct html *h, const char *s, double width)
{
    size_t most = (size_t)(width / LETTER), n = strlen(s);

    if (n <= most || most < 4)
        return s;
    n = most - 1;
    while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    return arena_printf(h->arena, "%.*s\xE2\x80\xA6", (int)n, s);
}

void plot_bar(struct plot *p, size_t row, size_t nrows, const char *name, double value, double low, double high, double most, size_t series,
              const char *text)
{
    struct html *h = p->html;
    double step = (p->height - p->top - p->bottom) / (double)(nrows ? nrows : 1), y = p->top + (double)row * step;
    double room = p->width - 64, scale = most > 0 ? room / most : 0;

    put_text(h, 0, y + 13, "start", "", cut(h, name, p->width));
    html_rawf(h, "<rect class=\"s%zu area\" x=\"0\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"/>", class_of(series), y + 19,
              value * scale > 1 ? value * scale : 1, step - 30 > 4 ? step - 30 : 4);
    if (high > low)
        html_rawf(h, "<path class=\"axis\" style=\"stroke:var(--text)\" d=\"M%.1f %.1fH%.1fm0 -4v8m%.1f 0v-8\"/>", low * scale, y + 19 + (step - 30) / 2,
                  high * scale, (low - high) * scale);
    put_text(h, (high > low ? high : value) * scale + 8, y + 23 + (step - 30) / 2, "start", "", text);
}

void plot_figure(struct html *h, const char *label, double height, void (*draw)(struct plot *, const void *ctx), const void *ctx)
{
    static const char *const classes[WIDTHS] = { "wide", "narrow" };

    for (size_t i = 0; i < WIDTHS; i++) {
        struct plot p = { .html = h, .width = widths[i], .height = height, .left = 56, .right = 16, .top = 22, .bottom = 40 };
        html_rawf(h, "<svg class=\"%s\" role=\"img\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" aria-label=\"", classes[i], p.width,
                  p.height, p.width, p.height);
        html_text(h, label);
        html_raw(h, "\">");
        draw(&p, ctx);
        html_raw(h, "</svg>\n");
    }
}

/* ---- a grid of shades ---- */
static size_t shade_of(const struct plot_axis *a, double v)
{
    double x = v > 0 || !a->log ? at(a, v) * SHADES : 0;

    return x < 0 ? 0 : x >= SHADES ? SHADES - 1 : (size_t)x;
}

/* Of all shades between the least and the largest value; what differs by less than four times is not shown as far apart. */
static struct plot_axis shades_of(const struct plot_grid *g)
{
    struct plot_axis a = { INFINITY, 0, g->log, "", false };

    for (size_t i = 0; i < g->nrows * g->ncolumns; i++)
        if (g->value[i] > 0) {
            a.low = g->value[i] < a.low ? g->value[i] : a.low;
            a.high = g->value[i] > a.high ? g->value[i] : a.high;
        }
    if (!(a.low <= a.high))
        return (struct plot_axis){ 0.1, 1, g->log, "", false };
    a.low = a.low < a.high / 4 ? a.low : a.high / 4;
    return a;
}

static void draw_grid(struct plot *p, const void *ctx)
{
    const struct plot_grid *g = ctx;
    struct html *h = p->html;
    double names = p->width > 500 ? 150 : 104, cell = (p->width - names) / (double)g->ncolumns;
    size_t every = (size_t)ceil(26 / cell);

    cell = cell < 40 ? cell : 40;
    p->y = shades_of(g);
    for (size_t c = 0; c < g->ncolumns; c += every)
        put_text(h, names + ((double)c + 0.5) * cell, 30, "middle", "soft", arena_printf(h->arena, "%zu", c));
    put_text(h, names, 12, "start", "soft", g->column_title);
    put_text(h, 0, 30, "start", "soft", g->row_title);
    for (size_t r = 0; r < g->nrows; r++) {
        double y = 38 + 22 * (double)r;
        put_text(h, 0, y + 14, "start", "", cut(h, g->row_name[r], names));
        for (size_t c = 0; c < g->ncolumns; c++) {
            size_t i = r * g->ncolumns + c;
            if (isnan(g->value[i]))
                continue;
            html_rawf(h, "<rect class=\"h%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"20\">", shade_of(&p->y, g->value[i]),
                      names + (double)c * cell, y, cell > 4 ? cell - 1.5 : cell * 0.8);
            put_title(h, g->title[i]);
            html_raw(h, "</rect>");
        }
    }
}

static void put_scale(struct html *h, const struct plot_axis *a)
{
    html_raw(h, "<ul class=\"legend\" aria-label=\"shades\">");
    for (size_t i = 0; i < SHADES; i += 2) {
        double low = a->log ? a->low * pow(a->high / a->low, (double)i / SHADES) : a->low + (a->high - a->low) * (double)i / SHADES;
        html_rawf(h, "<li><svg width=\"18\" height=\"14\" aria-hidden=\"true\"><rect class=\"h%zu\" width=\"18\" height=\"14\"/></svg>from %.1e</li>", i, low);
    }
    html_raw(h, "</ul>\n");
}

void plot_grid(struct html *h, const char *label, const struct plot_grid *g)
{
    struct plot_axis a = shades_of(g);

    plot_figure(h, label, 44 + 22 * (double)g->nrows, draw_grid, g);
    put_scale(h, &a);
}

/* ---- histograms ---- */
struct columns {
    const struct plot_histogram *of;
    double *percent, most;              /* of each bin, and the most of one */
};

static void put_column(struct plot *p, double from, double to, double y, size_t series, const char *title)
{
    double left = at_x(p, from), right = at_x(p, to), top = at_y(p, y);

    html_rawf(p->html, "<rect class=\"s%zu area\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", series % PLOT_SERIES, left + 0.5, top,
              right - left > 1.5 ? right - left - 1 : 0.5, p->height - p->bottom - top);
    put_title(p->html, title);
    html_raw(p->html, "</rect>");
}

static void draw_columns(struct plot *p, const void *ctx)
{
    const struct columns *c = ctx;
    const struct plot_histogram *of = c->of;
    struct plot_axis x = { pow(10, of->low), pow(10, of->low + of->bins * of->width), true, of->x_title, false },
                     y = plot_axis_of(&c->most, 1, sizeof c->most, false, of->y_title);

    plot_axes(p, &x, &y);
    for (int b = 0; b < of->bins; b++) {
        double low = pow(10, of->low + b * of->width), high = pow(10, of->low + (b + 1) * of->width);
        put_column(p, low, high, c->percent[b], 0, arena_printf(p->html->arena, "%.1e to %.1e: %.2f %%", b ? low : 0, high, c->percent[b]));
    }
}

void plot_histogram(struct html *h, const char *label, const struct plot_histogram *of)
{
    struct columns c = { .of = of, .percent = arena_array(h->arena, double, (size_t)of->bins) };

    for (size_t i = 0; i < of->n; i++) {
        double value = *(const double *)((const char *)of->value + i * of->stride), x = value > 0 ? (log10(value) - of->low) / of->width : 0;
        c.percent[x < 0 ? 0 : x >= of->bins ? of->bins - 1 : (int)x] += 100.0 / (double)of->n;
    }
    for (int b = 0; b < of->bins; b++)
        c.most = c.percent[b] > c.most ? c.percent[b] : c.most;
    plot_figure(h, label, 220, draw_columns, &c);
}

void plot_legend(struct html *h, const char *const *name, size_t n)
{
    html_raw(h, "<ul class=\"legend\">");
    for (size_t i = 0; i < n; i++) {
        html_rawf(h, "<li><svg width=\"36\" height=\"12\" aria-hidden=\"true\"><path class=\"s%zu mark\" d=\"M0 6h36\"/></svg>", i % PLOT_SERIES);
        html_text(h, name[i]);
        html_raw(h, "</li>");
    }
    html_raw(h, "</ul>\n");
}
