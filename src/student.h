/* Tail probabilities of Student's t and Fisher's F, by the continued fraction of the incomplete
 * beta function (Abramowitz & Stegun 26.5.8; Lentz's evaluation), right to some 13 digits. */
#ifndef TRENDLINE_STUDENT_H
#define TRENDLINE_STUDENT_H

/* P(|T| > |t|) with `freedom` > 0 degrees. */
double student_two_sided(double t, double freedom);

/* The t > 0 with P(|T| <= t) = level, 0 < level < 1: how wide an interval is, in standard errors.
 */
double student_width(double level, double freedom);

/* P(F > f) with that many degrees above and below. */
double fisher_tail(double f, double above, double below);

#endif
