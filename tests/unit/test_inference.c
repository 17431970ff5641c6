/* The figures of a fit against those of R 4.2.2: summary(lm), confint and predict.lm, printed with
 * options(digits = 17), on its data sets longley (Employed ~ .) and mtcars (mpg ~ wt + hp + qsec).
 * With weights, those of
 *
 *     a <- lm(Employed ~ ., longley, weights = (1:16) / 10)
 *     b <- lm(mpg ~ wt + hp + qsec, mtcars, weights = 1 / (1:32))
 *     for (m in list(a, b)) { w <- weights(m); print(summary(m)); print(confint(m))
 *       print(sum(w * residuals(m)^2) / sum(w)); print(weighted.mean(model.frame(m)[, 1], w)) }
 *     vcov(a); predict(a, longley[c(3, 16), ], interval = "prediction", level = 0.95)
 *     predict(a, longley[3, ], interval = "prediction", level = 0.5)
 *     predict(b, data.frame(wt = 3, hp = 110, qsec = 17), interval = "prediction") */
#include "check.h"
#include "inference.h"
#include "student.h"

#include <math.h>

static const double longley_rows[][7] = {{83, 234.289, 235.6, 159, 107.608, 1947, 60.323},
                                         {88.5, 259.426, 232.5, 145.6, 108.632, 1948, 61.122},
                                         {88.2, 258.054, 368.2, 161.6, 109.773, 1949, 60.171},
                                         {89.5, 284.599, 335.1, 165, 110.929, 1950, 61.187},
                                         {96.2, 328.975, 209.9, 309.9, 112.075, 1951, 63.221},
                                         {98.1, 346.999, 193.2, 359.4, 113.27, 1952, 63.639},
                                         {99, 365.385, 187, 354.7, 115.094, 1953, 64.989},
                                         {100, 363.112, 357.8, 335, 116.219, 1954, 63.761},
                                         {101.2, 397.469, 290.4, 304.8, 117.388, 1955, 66.019},
                                         {104.6, 419.18, 282.2, 285.7, 118.734, 1956, 67.857},
                                         {108.4, 442.769, 293.6, 279.8, 120.445, 1957, 68.169},
                                         {110.8, 444.546, 468.1, 263.7, 121.95, 1958, 66.513},
                                         {112.6, 482.704, 381.3, 255.2, 123.366, 1959, 68.655},
                                         {114.2, 502.601, 393.1, 251.4, 125.368, 1960, 69.564},
                                         {115.7, 518.173, 480.6, 257.2, 127.852, 1961, 69.331},
                                         {116.9, 554.894, 400.7, 282.7, 130.081, 1962, 70.551}};
static const double mtcars_rows[][4] = {
    {2.62, 110, 16.46, 21},    {2.875, 110, 17.02, 21},   {2.32, 93, 18.61, 22.8},
    {3.215, 110, 19.44, 21.4}, {3.44, 175, 17.02, 18.7},  {3.46, 105, 20.22, 18.1},
    {3.57, 245, 15.84, 14.3},  {3.19, 62, 20, 24.4},      {3.15, 95, 22.9, 22.8},
    {3.44, 123, 18.3, 19.2},   {3.44, 123, 18.9, 17.8},   {4.07, 180, 17.4, 16.4},
    {3.73, 180, 17.6, 17.3},   {3.78, 180, 18, 15.2},     {5.25, 205, 17.98, 10.4},
    {5.424, 215, 17.82, 10.4}, {5.345, 230, 17.42, 14.7}, {2.2, 66, 19.47, 32.4},
    {1.615, 52, 18.52, 30.4},  {1.835, 65, 19.9, 33.9},   {2.465, 97, 20.01, 21.5},
    {3.52, 150, 16.87, 15.5},  {3.435, 150, 17.3, 15.2},  {3.84, 245, 15.41, 13.3},
    {3.845, 175, 17.05, 19.2}, {1.935, 66, 18.9, 27.3},   {2.14, 91, 16.7, 26},
    {1.513, 113, 16.9, 30.4},  {3.17, 264, 14.5, 15.8},   {2.77, 175, 15.5, 19.7},
    {3.57, 335, 14.6, 15},     {2.78, 109, 18.6, 21.4}};
/* by coefficient: estimate, standard error, t, p, and the confidence interval of 95 % */
static const double longley_wants[][6] = {
    {-3.4822586345958148e+03, 8.9042038360737570e+02, -3.91080291815432091, 0.00356040366372632408,
     -5.4965294832747650e+03, -1.4679877859168648e+03},
    {1.5061872271372779e-02, 8.4914925774767377e-02, 0.17737602822999160, 0.86314083280921982677,
     -1.7702903529849515e-01, 2.0715277984124073e-01},
    {-3.5819179292591000e-02, 3.3491007772243411e-02, -1.06951631722104001, 0.31268106109271437409,
     -1.1158110241390179e-01, 3.9942743828719790e-02},
    {-2.0202298038168240e-02, 4.8839968165170283e-03, -4.13642735594068167, 0.00253509173411139467,
     -3.1250666419735867e-02, -9.1539296566006140e-03},
    {-1.0332268671735891e-02, 2.1427416316167573e-03, -4.82198531044543710, 0.00094436676416182451,
     -1.5179487001723651e-02, -5.4850503417481324e-03},
    {-5.1104105653579195e-02, 2.2607320006937262e-01, -0.22605114466419476, 0.82621179576365377795,
     -5.6251721450722203e-01, 4.6030900320006368e-01},
    {1.8291514646135503e+00, 4.5547849914221344e-01, 4.01588981270976930, 0.00303680334163036227,
     7.9878751527841607e-01, 2.8595154139486842e+00}};
static const double mtcars_wants[][6] = {
    {27.610526858204938350, 8.419928476539320528, 3.2791878143783419, 2.7845556611020826e-03,
     10.363085233456640566, 44.857968482953239686},
    {-4.358797200162685570, 0.752700392234739502, -5.7908794058437758, 3.2172215296399067e-06,
     -5.900634059248407226, -2.816960341076963470},
    {-0.017822271605542488, 0.014981168848936303, -1.1896449325986944, 2.4417624090336654e-01,
     -0.048509804868144053, 0.012865261657059077},
    {0.510833694245057424, 0.439221532037553430, 1.1630433778492015, 2.5462838102650220e-01,
     -0.388870828810915725, 1.410538217301030572}};

static const double longley_weighted_wants[][6] = {
    {-3844.7995648790661, 910.69159141046362, -4.2218459038633549, 0.0022333494559227049,
     -5904.9270714883423, -1784.6720582697899},
    {0.018147935448622744, 0.088390805924785709, 0.20531474126466667, 0.84189486910228883,
     -0.18180595929963725, 0.21810183019688276},
    {-0.044800160297600936, 0.03406114530505621, -1.3152863738539811, 0.22093486482542748,
     -0.12185182412254428, 0.032251503527342407},
    {-0.020927333239900949, 0.0050044823860077364, -4.1817178332793512, 0.0023700425306831994,
     -0.032248258915505798, -0.0096064075642960968},
    {-0.010352603467828786, 0.0023787153937896385, -4.352182482552311, 0.0018443723193609699,
     -0.015733631534148369, -0.0049715754015092041},
    {-0.045698880604623453, 0.22744867523365375, -0.20091952858233997, 0.84522874095122358,
     -0.56022353045339601, 0.46882576924414909},
    {2.0160522443448761, 0.46568371625811272, 4.3292307073658689, 0.0019072465411973931,
     0.96260249001309961, 3.0695019986766523}};
static const double mtcars_weighted_wants[][6] = {
    {23.27642205980159, 5.0964188793357268, 4.5672113322905412, 9.0471863891317093e-05,
     12.836881229790173, 33.715962889813007},
    {-3.9188918408513929, 0.76854075754921047, -5.0991333931960821, 2.1149370820462871e-05,
     -5.4931762173759235, -2.3446074643268626},
    {-0.015528804098010785, 0.012727324122555114, -1.220115394915648, 0.23259821785921556,
     -0.04159954572659557, 0.010541937530574001},
    {0.62083226095295185, 0.28606550594778368, 2.1702450943745522, 0.0386250910135294,
     0.034853635548241724, 1.2068108863576619}};

/* To ten digits. */
static void check_close(double wants, double got, const char *name)
{
    CHECK(fabs(got - wants) <= 1e-10 * fabs(wants), "%s: %.17g, not %.17g", name, got, wants);
}

/* Without `weights` each is 1. */
static struct fit *fit_weighted(const double *rows, const double *weights, size_t count,
                                size_t features)
{
    struct error error;
    size_t column;
    struct moments *moments = moments_new(features);
    for (size_t i = 0; i < count; i++) {
        const double *row = rows + i * (features + 1);
        double weight = weights ? weights[i] : 1;
        CHECK_INT(MOMENTS_OK, moments_reserve(moments, row, weight));
        moments_add(moments, row, weight);
    }
    struct fit *fit = fit_new(moments, &column, &error);
    CHECK(fit, "%s", error.text);
    moments_free(moments);
    return fit;
}

static struct fit *fit_rows(const double *rows, size_t count, size_t features)
{
    return fit_weighted(rows, NULL, count, features);
}

static void check_coefficients(const struct fit *fit, const double (*wants)[6])
{
    struct inference inference;
    inference_of(fit, &inference);
    for (size_t j = 0; j <= fit->features; j++) {
        struct coefficient_inference got = inference_coefficient(fit, &inference, j);
        check_close(wants[j][0], fit->coefficients[j].hi, "estimate");
        check_close(wants[j][1], got.error, "standard error");
        check_close(wants[j][2], got.t, "t");
        check_close(wants[j][3], got.p, "p");
        check_close(wants[j][4], got.low, "confidence interval, low");
        check_close(wants[j][5], got.high, "confidence interval, high");
    }
}

struct figures {
    double deviation, r2, adjusted_r2, f, f_p;
    int64_t freedom;
};

static void check_figures(const struct fit *fit, struct figures wants)
{
    struct inference got;
    inference_of(fit, &got);
    CHECK_INT(wants.freedom, got.freedom);
    check_close(wants.deviation, got.deviation, "deviation of the residuals");
    check_close(wants.r2, fit->r2, "r2");
    check_close(wants.adjusted_r2, got.adjusted_r2, "adjusted r2");
    check_close(wants.f, got.f, "F");
    check_close(wants.f_p, got.f_p, "its p");
}

/* `low` and `high`: predict.lm's prediction interval. */
static void check_interval(const struct fit *fit, const double *row, double level, double low,
                           double high)
{
    double middle = fit_predict(fit->coefficients, row, fit->features);
    double half = inference_interval(fit, row, inference_scale(fit, level));
    check_close(low, middle - half, "interval, low");
    check_close(high, middle + half, "interval, high");
}

static void check_covariances(const struct fit *fit)
{
    struct inference inference;
    inference_of(fit, &inference);
    check_close(792848.4595435059163719, inference_covariance(fit, &inference, 0, 0), "vcov");
    check_close(-405.4414214937435759, inference_covariance(fit, &inference, 0, 6), "vcov");
    check_close(-405.4414214937435759, inference_covariance(fit, &inference, 6, 0), "vcov");
    check_close(-15.4950158332005561, inference_covariance(fit, &inference, 1, 0), "vcov");
    check_close(2.0746066318084333e-01, inference_covariance(fit, &inference, 6, 6), "vcov");
    check_close(-5.3616744037363398e-04, inference_covariance(fit, &inference, 4, 6), "vcov");
}

static void test_longley(void)
{
    struct fit *fit = fit_rows(longley_rows[0], 16, 6);
    check_coefficients(fit, longley_wants);
    check_covariances(fit);
    check_figures(fit,
                  (struct figures){0.3048540735619657, 0.99547900457729555, 0.99246500762882595,
                                   330.28533923458622, 4.9840305287249179e-10, 9});
    check_interval(fit, longley_rows[2], 0.95, 59.319862288536086, 60.929563375950721);
    check_interval(fit, longley_rows[15], 0.95, 69.861609191667867, 71.653906458720940);
    check_interval(fit, longley_rows[2], 0.5, 59.874692050668543, 60.374733613818265);
    fit_free(fit);
}

static void test_mtcars(void)
{
    static const double near[] = {3, 110, 17}, far[] = {10, 50, 25};
    struct fit *fit = fit_rows(mtcars_rows[0], 32, 3);
    check_coefficients(fit, mtcars_wants);
    check_figures(fit,
                  (struct figures){2.5777848825208176, 0.83476776170582967, 0.81706430760288284,
                                   47.152818701457747, 4.5064110240248436e-11, 28});
    check_interval(fit, near, 0.95, 15.669347755809554, 26.8463686107368176);
    check_interval(fit, far, 0.95, -15.568539203784781, 7.3731064686395733);
    check_interval(fit, far, 0.5, -7.9244064999225738, -0.27102623522263292);
    fit_free(fit);
}

static void test_longley_weighted(void)
{
    double weights[16];
    for (int i = 0; i < 16; i++)
        weights[i] = (i + 1) / 10.0;
    struct fit *fit = fit_weighted(longley_rows[0], weights, 16, 6);
    struct inference inference;
    inference_of(fit, &inference);
    check_coefficients(fit, longley_weighted_wants);
    check_figures(fit,
                  (struct figures){0.26825776870723655, 0.99402177272398129, 0.99003628787330211,
                                   249.4105008464856, 1.7480883298985597e-09, 9});
    check_close(0.047622064282799054, fit->mse, "mean squared error");
    check_close(67.108279411764713, fit->means[6], "mean of the target");
    check_close(829359.17466572276, inference_covariance(fit, &inference, 0, 0), "vcov");
    check_close(-423.96732342780251, inference_covariance(fit, &inference, 0, 6), "vcov");
    check_close(-8.1050847507779498, inference_covariance(fit, &inference, 1, 0), "vcov");
    check_close(0.21686132358796639, inference_covariance(fit, &inference, 6, 6), "vcov");
    check_close(-0.00051371556284997711, inference_covariance(fit, &inference, 4, 6), "vcov");
    check_interval(fit, longley_rows[2], 0.95, 59.258080643432329, 61.004156657138303);
    check_interval(fit, longley_rows[15], 0.95, 69.963581247444850, 71.436963780224218);
    check_interval(fit, longley_rows[2], 0.5, 59.859915944982404, 60.402321355588228);
    CHECK_INT(16, fit->rows);
    check_close(13.6, fit->weight, "sum of the weights");
    fit_free(fit);
}

static void test_mtcars_weighted(void)
{
    static const double near[] = {3, 110, 17};
    double weights[32];
    for (int i = 0; i < 32; i++)
        weights[i] = 1.0 / (i + 1);
    struct fit *fit = fit_weighted(mtcars_rows[0], weights, 32, 3);
    check_coefficients(fit, mtcars_weighted_wants);
    check_figures(fit,
                  (struct figures){0.67596508692652801, 0.80861260015044145, 0.78810680730941729,
                                   39.433374091867407, 3.4747821473602313e-10, 28});
    check_close(3.1524015056630845, fit->mse, "mean squared error");
    check_close(20.357646876682008, fit->means[3], "mean of the target");
    check_interval(fit, near, 0.95, 18.640967769221554, 22.090485276111259);
    fit_free(fit);
}

/* What scale the weights have does not matter to coefficients, their errors and r2, not even far
 * out, and a power of two not to a bit of them. */
static void test_scale_of_weights(void)
{
    static const int exponents[] = {-40, 7, -1000, 990};
    for (size_t n = 0; n < sizeof exponents / sizeof *exponents; n++) {
        double weights[32];
        struct inference a, b;
        for (int i = 0; i < 32; i++)
            weights[i] = ldexp(1, exponents[n]);
        struct fit *fit = fit_weighted(mtcars_rows[0], weights, 32, 3);
        struct fit *plain = fit_rows(mtcars_rows[0], 32, 3);
        inference_of(fit, &a);
        inference_of(plain, &b);
        CHECK_DOUBLE(plain->mse, fit->mse);
        CHECK_DOUBLE(plain->r2, fit->r2);
        CHECK_DOUBLE(plain->variance, fit->variance);
        CHECK_DOUBLE(plain->condition, fit->condition);
        check_close(b.f, a.f, "F");
        for (size_t j = 0; j <= 3; j++) {
            CHECK_DOUBLE(plain->coefficients[j].hi, fit->coefficients[j].hi);
            CHECK_DOUBLE(plain->coefficients[j].lo, fit->coefficients[j].lo);
            CHECK_DOUBLE(plain->means[j], fit->means[j]);
            check_close(inference_coefficient(plain, &b, j).error,
                        inference_coefficient(fit, &a, j).error, "standard error");
        }
        fit_free(fit);
        fit_free(plain);
    }
}

/* pt, qt and pf of R. */
static void test_tails(void)
{
    check_close(9.3654896513889285e-01, student_two_sided(0.1, 1), "t 0.1, 1");
    check_close(4.2264973081037427e-01, student_two_sided(-1, 2), "t 1, 2");
    check_close(5.4490099342376204e-02, student_two_sided(2.5, 5), "t 2.5, 5");
    check_close(4.5752514082296097e-11, student_two_sided(10, 30), "t 10, 30");
    check_close(1.0478852155172875e-209, student_two_sided(40, 1000), "t 40, 1000");
    check_close(1, student_width(0.5, 1), "width 0.5, 1");
    check_close(3.1824463052837078, student_width(0.95, 3), "width 0.95, 3");
    check_close(3.2498355415921254, student_width(0.99, 9), "width 0.99, 9");
    check_close(4.8916689607265740, student_width(0.999999, 1e6), "width 0.999999, 1e6");
    check_close(5.1108408043028075e-01, fisher_tail(0.5, 1, 5), "F 0.5");
    check_close(1.7274954848456398e-02, fisher_tail(4, 3, 28), "F 4");
    check_close(5.0033327148310843e-10, fisher_tail(330, 6, 9), "F 330");
}

/* As many rows as columns, a perfect fit, an aliased column: no figure is made up. */
static void test_undefined(void)
{
    static const double exact[][3] = {{1, 2, 3}, {2, 4, 5}, {3, 6, 7}, {4, 8, 9}};
    struct inference inference;
    struct fit *fit = fit_rows(exact[0], 2, 2);
    inference_of(fit, &inference);
    CHECK(inference.freedom == 0 && isnan(inference.deviation), "no freedom");
    CHECK(isnan(inference_scale(fit, 0.95)), "no interval");
    fit_free(fit);
    fit = fit_rows(exact[0], 4, 2);
    inference_of(fit, &inference);
    CHECK(inference.freedom == 2 && inference.deviation == 0 && isnan(inference.f), "perfect");
    CHECK(inference_scale(fit, 0.95) == 0, "certain");
    CHECK(isnan(inference_coefficient(fit, &inference, 2).error), "aliased");
    CHECK(inference_coefficient(fit, &inference, 1).error == 0, "certain too");
    fit_free(fit);
}

/* Orthogonal columns have condition 1; nearly equal ones a large one. */
static void test_condition(void)
{
    static const double square[][3] = {{0, 0, 1}, {0, 1, 2}, {1, 0, 4}, {1, 1, 8}};
    static const double narrow[][3] = {{0, 0, 1}, {1, 1, 2}, {2, 2, 4}, {3, 3.001, 8}};
    struct fit *fit = fit_rows(square[0], 4, 2);
    check_close(1, fit->condition, "orthogonal");
    fit_free(fit);
    fit = fit_rows(narrow[0], 4, 2);
    CHECK(fit->condition > 1e6 && fit->condition < 1e9, "%g", fit->condition);
    fit_free(fit);
}

int main(void)
{
    test_longley();
    test_mtcars();
    test_longley_weighted();
    test_mtcars_weighted();
    test_scale_of_weights();
    test_tails();
    test_undefined();
    test_condition();
    return check_report("test_inference");
}
