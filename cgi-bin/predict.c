/* The FastCGI binary behind /predict, /model and /readyz. */
#include "fcgi.h"

int main(void)
{
    return fcgi_main("predict", SANDBOX_PREDICT, predict_handler);
}
