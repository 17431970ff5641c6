#include "owner.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool owner_of(const char *directory, struct owner *owner, struct error *error)
{
    struct stat status;
    if (stat(directory, &status) != 0)
        return error_errno(error, "cannot use DATA_DIR=%s", directory);
    if (!S_ISDIR(status.st_mode))
        return error_set(error, ERROR_SYSTEM, "cannot use DATA_DIR=%s: it is not a directory",
                         directory);
    owner->uid = status.st_uid;
    owner->gid = status.st_gid;
    return true;
}

struct capabilities {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static bool capabilities_read(struct capabilities *capabilities)
{
    *capabilities = (struct capabilities){.header.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &capabilities->header, capabilities->data) == 0;
}

bool owner_can_switch(void)
{
    const unsigned needed = 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_CHOWN;
    struct capabilities own;
    return geteuid() == 0 && capabilities_read(&own) && (own.data[0].effective & needed) == needed;
}

bool owner_become(const struct owner *owner, struct error *error)
{
    if (geteuid() != 0)
        return true;
    /* without the capability root keeps its groups, which matters only if it becomes another */
    bool ungrouped = setgroups(0, NULL) == 0 || (errno == EPERM && owner->uid == 0);
    if (!ungrouped || setresgid(owner->gid, owner->gid, owner->gid) != 0 ||
        setresuid(owner->uid, owner->uid, owner->uid) != 0)
        return error_errno(error,
                           "cannot become user %u:%u, whose directory DATA_DIR is (start as that "
                           "user, or allow the capabilities SETUID and SETGID)",
                           (unsigned)owner->uid, (unsigned)owner->gid);
    return true;
}

bool owner_drop_capabilities(struct error *error)
{
    struct capabilities none = {.header.version = _LINUX_CAPABILITY_VERSION_3};
    return (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
            syscall(SYS_capset, &none.header, none.data) == 0) ||
           error_errno(error, "cannot give up privileges");
}

void owner_renounce(void)
{
    /* Each of these may fail because there is nothing left to give up. */
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct capabilities own;
    if (capabilities_read(&own)) {
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
            own.data[i].inheritable = 0;
        syscall(SYS_capset, &own.header, own.data);
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
