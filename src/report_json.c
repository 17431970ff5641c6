#include "report.h"

#include "inference.h"
#include "json.h"
#include "levels.h"
#include "model.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------ members */

/* A comma, unless it is the first member. */
static void separate(struct buffer *out)
{
    if (out->length > 0 && !strchr("[{", out->data[out->length - 1]))
        buffer_puts(out, ", ");
}

static void name_member(struct buffer *out, const char *name)
{
    separate(out);
    buffer_printf(out, "\"%s\": ", name);
}

static void open_member(struct buffer *out, const char *name, const char *bracket)
{
    name_member(out, name);
    buffer_puts(out, bracket);
}

static void write_figure(struct buffer *out, const char *name, double value)
{
    name_member(out, name);
    json_write_figure(out, value);
}

static void write_count(struct buffer *out, const char *name, uint64_t value)
{
    name_member(out, name);
    buffer_printf(out, "%llu", (unsigned long long)value);
}

static void write_truth(struct buffer *out, const char *name, bool value)
{
    name_member(out, name);
    buffer_puts(out, value ? "true" : "false");
}

static void write_text(struct buffer *out, const char *name, const char *text)
{
    name_member(out, name);
    json_write_string(out, text, strlen(text));
}

/* ------------------------------------------------------------------ the model */

/* Why it is this kind of model; the page has the words for it. */
static const char *reason(const struct report *report)
{
    const struct fit *fit = report->model->fit;
    if (report->choice->trials[LEAST_SQUARES].terms > 0)
        return "tried";
    if (!report->may_choose)
        return "asked";
    if (fit->features > FOLDS_FEATURES_MAX)
        return "features";
    return fit->rows < CHOICE_ROWS_MIN ? "rows" : "parts";
}

static void write_trial(const struct trial *trial, const char *kind, struct buffer *out)
{
    separate(out);
    buffer_puts(out, "{");
    write_text(out, "kind", kind);
    write_count(out, "terms", trial->terms);
    write_figure(out, "penalty", trial->penalty);
    write_figure(out, "error", sqrt(trial->error));
    open_member(out, "folds", "[");
    for (size_t k = 0; k < FOLDS; k++) {
        separate(out);
        json_write_figure(out, sqrt(trial->errors[k]));
    }
    buffer_puts(out, "]}");
}

static void write_model(const struct report *report, struct buffer *out)
{
    const struct predictor *model = report->model;
    open_member(out, "model", "{");
    write_text(out, "kind", candidate_name(model->candidate));
    write_text(out, "reason", reason(report));
    write_count(out, "terms", model->count > 0 ? model->count : model->fit->features);
    write_figure(out, "penalty", model->penalty);
    open_member(out, "tried", "[");
    for (enum candidate c = LEAST_SQUARES; c < CANDIDATES; c++)
        if (report->choice->trials[c].terms > 0)
            write_trial(&report->choice->trials[c], candidate_name(c), out);
    buffer_puts(out, "]}");
}

/* Some are known of least squares alone. */
static void write_figures(const struct report *report, struct buffer *out)
{
    const struct fit *fit = report->model->fit;
    struct inference inference;
    inference_of(fit, &inference);
    open_member(out, "figures", "{");
    write_count(out, "rank", fit->rank);
    write_figure(out, "mse", fit->mse);
    write_figure(out, "rmse", sqrt(fit->mse));
    write_figure(out, "r2", fit->r2);
    write_figure(out, "target_deviation", sqrt(fit->variance));
    write_figure(out, "parameters", fit->parameters);
    write_figure(out, "degrees_of_freedom", inference.freedom);
    write_figure(out, "residual_deviation", inference.deviation);
    write_figure(out, "adjusted_r2", inference.adjusted_r2);
    if (report->model->candidate == LEAST_SQUARES) {
        write_figure(out, "f", inference.f);
        write_figure(out, "f_p", inference.f_p);
        write_figure(out, "condition", fit->condition);
    }
    buffer_puts(out, "}");
}

/* ------------------------------------------------------------------ the coefficients */

/* 0 is the intercept. */
static void write_coefficient(const struct report *report, const struct inference *inference,
                              size_t j, struct buffer *out)
{
    const struct study *study = report->study;
    struct coefficient_inference sure = inference_coefficient(study->linear, inference, j);
    buffer_puts(out, "{");
    name_member(out, "name");
    if (j > 0)
        column_write_name(report->columns->names, report->model->encoding, j - 1, out);
    else
        buffer_puts(out, "\"intercept\"");
    write_figure(out, "estimate", study->linear->coefficients[j].hi);
    write_figure(out, "standard_error", sure.error);
    write_figure(out, "t", sure.t);
    write_figure(out, "p", isfinite(sure.t) ? sure.p : NAN);
    write_figure(out, "low", sure.low);
    write_figure(out, "high", sure.high);
    if (report->model->candidate == RIDGE)
        write_figure(out, "ridge", report->model->fit->coefficients[j].hi);
    if (j > 0) {
        write_figure(out, "deviation", study->deviations[j - 1]);
        write_truth(out, "aliased", study->linear->aliased[j - 1]);
    }
    buffer_puts(out, "}");
}

/* Least squares', of whatever kind the model is: what people can read, and how sure it is. */
static void write_coefficients(const struct report *report, struct buffer *out)
{
    const struct fit *linear = report->study->linear;
    struct inference inference;
    name_member(out, "coefficients");
    if (!linear) {
        buffer_puts(out, "null");
        return;
    }
    inference_of(linear, &inference);
    buffer_puts(out, "{");
    write_figure(out, "level", INFERENCE_LEVEL);
    write_figure(out, "degrees_of_freedom", inference.freedom);
    write_truth(out, "has_errors", linear->inverse && inference.freedom > 0);
    open_member(out, "intercept", "");
    write_coefficient(report, &inference, 0, out);
    open_member(out, "features", "[");
    for (size_t j = 1; j <= linear->features; j++) {
        separate(out);
        write_coefficient(report, &inference, j, out);
    }
    buffer_puts(out, "]}");
}

/* ------------------------------------------------------------------ the rows */

static void write_histogram(const struct residuals *residuals, struct buffer *out)
{
    double width = 2 * RESIDUALS_REACH / RESIDUALS_BINS * residuals->unit;
    open_member(out, "histogram", "{");
    write_figure(out, "from", -RESIDUALS_REACH * residuals->unit);
    write_figure(out, "width", width);
    write_count(out, "below", residuals->below);
    write_count(out, "above", residuals->above);
    open_member(out, "counts", "[");
    for (size_t i = 0; i < RESIDUALS_BINS; i++) {
        separate(out);
        buffer_printf(out, "%llu", (unsigned long long)residuals->bins[i]);
    }
    buffer_puts(out, "]}");
}

static void write_residuals(const struct report *report, struct buffer *out)
{
    const struct residuals *residuals = report->residuals;
    name_member(out, "residuals");
    if (!residuals) {
        buffer_puts(out, "null");
        return;
    }
    buffer_puts(out, "{");
    write_count(out, "clipped", residuals->clipped);
    write_figure(out, "least", residuals->least);
    write_figure(out, "greatest", residuals->greatest);
    write_histogram(residuals, out);
    open_member(out, "sample", "[");
    for (size_t i = 0; i < residuals->sampled; i++) {
        separate(out);
        buffer_puts(out, "[");
        json_write_number(out, residuals->sample[i].predicted);
        buffer_puts(out, ", ");
        json_write_number(out, residuals->sample[i].actual);
        buffer_puts(out, "]");
    }
    buffer_puts(out, "]}");
}

static void write_curve(const struct learning_curve *curve, struct buffer *out)
{
    open_member(out, "curve", "[");
    for (size_t i = 0; i < curve->points; i++) {
        separate(out);
        buffer_puts(out, "{");
        write_figure(out, "rows", curve->at[i].rows);
        write_figure(out, "chosen", sqrt(curve->at[i].chosen));
        write_figure(out, "linear", sqrt(curve->at[i].linear));
        write_figure(out, "mean", sqrt(curve->at[i].mean));
        buffer_puts(out, "}");
    }
    buffer_puts(out, "]");
}

void report_write_json(const struct report *report, struct buffer *out)
{
    const struct fit *fit = report->model->fit;
    char now[MODEL_TIME_MAX];
    model_time(now);
    buffer_puts(out, "{");
    write_text(out, "version", TRENDLINE_VERSION);
    write_text(out, "created", now);
    write_text(out, "train", report->train_name);
    write_text(out, "test", report->test_name);
    write_count(out, "rows", (uint64_t)fit->rows);
    write_count(out, "features", report->model->encoding->features);
    write_truth(out, "header", report->has_header);
    write_text(out, "target", report->columns->names[report->columns->features]);
    write_count(out, "predictions", report->predictions);
    write_count(out, "clipped", report->clipped);
    write_model(report, out);
    write_figures(report, out);
    write_coefficients(report, out);
    write_residuals(report, out);
    write_curve(&report->study->curve, out);
    buffer_puts(out, "}");
}
