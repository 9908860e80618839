// main.c - noroshi-relay: wiring only
#include "common/stage.h"
#include "services/relay/relay.h"

int
main(int argc, char **argv)
{
    return nrs_stage_main(&relay_stage, argc, argv);
}
