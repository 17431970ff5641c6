/* The page of a report, but for its figures: report.html with report.css, report.js and Chart.js in
 * it, as tools/inline-page puts them together. */
#ifndef TRENDLINE_REPORT_PAGE_H
#define TRENDLINE_REPORT_PAGE_H

#include <stdint.h>

extern const char report_page[]; /* not terminated */
extern const uint64_t report_page_length;

#endif
