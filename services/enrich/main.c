#include "enrich.h"

int
main(int argc, char **argv)
{
    return nrs_stage_main(&enrich_stage, argc, argv);
}
