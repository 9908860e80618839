#include "services/classify/classify.h"

int
main(int argc, char **argv)
{
    return nrs_stage_main(&classify_stage, argc, argv);
}
