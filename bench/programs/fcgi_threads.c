/* fcgi_threads SOCKET ANSWER: the classic libfcgi responder, 64 blocking threads that accept for
 * themselves, connections kept. Its answer is always the same: it computes nothing. */
#include <fcgiapp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { THREADS = 64, BACKLOG = 1024 };

static int listen_fd;
static const char *answer;

static void *serve(void *unused)
{
    FCGX_Request request;
    FCGX_InitRequest(&request, listen_fd, 0);
    while (FCGX_Accept_r(&request) == 0) {
        if (!FCGX_GetParam("QUERY_STRING", request.envp))
            break;
        FCGX_FPrintF(request.out, "Content-Type: application/json\r\n\r\n%s\n", answer);
        FCGX_Finish_r(&request);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread[THREADS];
    umask(0);
    if (argc != 3 || FCGX_Init() != 0 || (listen_fd = FCGX_OpenSocket(argv[1], BACKLOG)) < 0) {
        fprintf(stderr, "usage: fcgi_threads SOCKET ANSWER\n");
        return EXIT_FAILURE;
    }
    answer = argv[2];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, serve, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return EXIT_SUCCESS;
}
