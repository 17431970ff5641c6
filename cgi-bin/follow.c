/* The binary that follows what other replicas store, with Postgres. */
#include "fcgi.h"

int main(void)
{
    return fcgi_main("follow", SANDBOX_FOLLOW, follow_handler);
}
