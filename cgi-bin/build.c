/* The FastCGI binary behind /build. */
#include "fcgi.h"

int main(void)
{
    return fcgi_main("build", SANDBOX_BUILD, build_handler);
}
