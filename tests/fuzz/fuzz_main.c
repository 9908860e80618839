// fuzz_main.c - runs a fuzz target over its corpus, and over mutations of it from a fixed seed, where libFuzzer is not there

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MUTATIONS = 200, INPUT_BYTES_MAX = 1 << 20 };

static uint64_t
s_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Run on a copy of exactly the size, so that the sanitizer sees one byte too far.
static void
s_run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
s_mutate(uint8_t *data, size_t *size, uint64_t *state)
{
    if (*size == 0)
        return;
    for (uint64_t i = s_random(state) % 4; i < 4; i++)
        data[s_random(state) % *size] = (uint8_t)s_random(state);
    if (s_random(state) % 4 == 0)
        *size = s_random(state) % *size;
}

static size_t
s_file(const char *path)
{
    static uint8_t data[INPUT_BYTES_MAX], changed[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (!file)
        return 0;
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    s_run(data, size);
    uint64_t state = 0x9e3779b97f4a7c15u ^ size;
    for (int i = 0; i < MUTATIONS; i++) {
        size_t length = size;
        memcpy(changed, data, size);
        s_mutate(changed, &length, &state);
        s_run(changed, length);
    }
    return 1;
}

int
main(int argc, char **argv)
{
    size_t files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir) {
            files += s_file(argv[i]);
            continue;
        }
        for (struct dirent *entry; (entry = readdir(dir));) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            struct stat status;
            if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
                files += s_file(path);
        }
        closedir(dir);
    }
    printf("%zu corpus files, %d mutations of each\n", files, MUTATIONS);
    if (files == 0)
        fprintf(stderr, "no corpus file was found\n");
    return files ? 0 : 1;
}
