/* The FastCGI binary behind /build. */
#include "fcgi.h"

int main(void)
{
    return fcgi_main("build", build_handler);
}
