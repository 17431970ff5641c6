/* The FastCGI binary behind /action. */
#include "fcgi.h"

int main(void)
{
    return fcgi_main("action", SANDBOX_ACTION, action_handler);
}
