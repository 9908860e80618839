// ingest - takes what members and feeds report, in any format that it knows, and answers with a
// receipt.
#include "services/ingest/ingest.h"

int
main(int argc, char **argv)
{
    return nrs_stage_main(&ingest_stage, argc, argv);
}
