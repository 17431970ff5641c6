#include "student.h"

#include <math.h>

enum { STEPS_MAX = 10000 };

static double away_from_zero(double value)
{
    return fabs(value) < 1e-300 ? 1e-300 : value;
}

/* The continued fraction, which converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), fraction = d;
    for (int m = 1; m < STEPS_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        fraction *= d * c;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        fraction *= d * c;
        if (fabs(d * c - 1) < 1e-16)
            break;
    }
    return fraction;
}

/* The regularised incomplete beta function of x, where y = 1 - x is given too, so that neither
 * loses digits. */
static double beta(double a, double b, double x, double y)
{
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2))
        return 1 - beta(b, a, y, x);
    double front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y);
    return exp(front) * beta_fraction(a, b, x) / a;
}

double student_two_sided(double t, double freedom)
{
    double square = t * t;
    if (!isfinite(square))
        return 0;
    return beta(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square));
}

static double density(double t, double freedom)
{
    double half = (freedom + 1) / 2;
    return exp(lgamma(half) - lgamma(freedom / 2) - half * log1p(t * t / freedom)) /
           sqrt(freedom * M_PI);
}

/* Newton's steps, kept between bounds that close in. */
double student_width(double level, double freedom)
{
    double below = 0, above = 1, outside = 1 - level;
    while (student_two_sided(above, freedom) > outside && above < 1e300)
        above *= 2;
    double t = above;
    for (int step = 0; step < STEPS_MAX; step++) {
        double excess = student_two_sided(t, freedom) - outside;
        *(excess > 0 ? &below : &above) = t;
        double next = t + excess / (2 * density(t, freedom));
        if (!(next > below && next < above))
            next = below + (above - below) / 2;
        if (fabs(next - t) <= 1e-15 * t)
            break;
        t = next;
    }
    return t;
}

double fisher_tail(double f, double above, double below)
{
    double scaled = above * f;
    return beta(below / 2, above / 2, below / (below + scaled), scaled / (below + scaled));
}
