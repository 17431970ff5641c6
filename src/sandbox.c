#include "sandbox.h"

#include "owner.h"

bool sandbox_has_network(enum sandbox_role role, const struct config *config)
{
    return role != SANDBOX_PREDICT && config->postgres.length > 0;
}

bool sandbox_enter(enum sandbox_role role, const struct config *config, struct error *error)
{
    if (!owner_drop_capabilities(error))
        return false;
    if (SANDBOX_SANITIZED)
        return true;
    /* files first: the calls that limit them are not among those that are left */
    return sandbox_limit_files(role, config, error) &&
           sandbox_limit_calls(role, sandbox_has_network(role, config), error);
}
