// The reader and the writer of ZPL are here and not czmq's: its parser prints the lines that it
// does not like (a secret, perhaps) on stdout, leaves copies in the heap, and its zcert overwrites
// files.
#include "common/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { FILE_BYTES_MAX = 16384 }; // a certificate with all the metadata that anyone would write

// --- names and texts -----------------------------------------------------------------------------

bool
nrs_key_text_ok(nrs_bytes_t text)
{
    char copy[NRS_KEY_TEXT_BYTES];
    uint8_t key[32];
    if (text.size != NRS_KEY_TEXT_BYTES - 1 || memchr(text.data, 0, text.size))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    bool ok = zmq_z85_decode(key, copy) != NULL;
    explicit_bzero(key, sizeof key); // it may have been a secret
    explicit_bzero(copy, sizeof copy);
    return ok;
}

static bool
s_name_ok(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);
    return length > 0 && length < NRS_KEY_NAME_BYTES && name[0] != '.' &&
           strspn(name, allowed) == length;
}

void
nrs_keys_wipe(nrs_keys_t *keys)
{
    explicit_bzero(keys->secret_text, sizeof keys->secret_text);
}

// --- writing -------------------------------------------------------------------------------------

static nrs_err_t
s_write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(fd, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return NRS_E_IO;
        text += written;
        bytes -= (size_t)written;
    }
    return fsync(fd) == 0 ? NRS_OK : NRS_E_IO;
}

// O_EXCL: a key that exists is somebody's identity and is never written over, nor is a link
// followed.
static nrs_err_t
s_write_new(const char *path, mode_t mode, const char *text, size_t bytes, nrs_problem_t *reterr)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST)
        return nrs_problem_set(reterr, NRS_E_EXISTS, path, 0, 0,
                               "the file exists; choose another name or move it away");
    if (fd < 0)
        return nrs_problem_set(reterr, NRS_E_IO, path, 0, 0, "can't be made: %s", strerror(errno));
    nrs_err_t err = s_write_all(fd, text, bytes);
    if (err) {
        nrs_problem_set(reterr, err, path, 0, 0, "can't be written: %s", strerror(errno));
        unlink(path);
    }
    close(fd);
    return err;
}

static nrs_err_t
s_write_public(const char *path, const nrs_keys_t *keys, nrs_problem_t *reterr)
{
    char text[512];
    int bytes =
        snprintf(text, sizeof text,
                 "#   CURVE public certificate (ZeroMQ RFC 26). Hand it over by a way that\n"
                 "#   can be trusted, or compare the key by another one.\n"
                 "metadata\n"
                 "    name = \"%s\"\n"
                 "curve\n"
                 "    public-key = \"%s\"\n",
                 keys->name, keys->public_text);
    return s_write_new(path, 0644, text, (size_t)bytes, reterr);
}

static nrs_err_t
s_write_secret(const char *path, const nrs_keys_t *keys, nrs_problem_t *reterr)
{
    char text[512];
    int bytes = snprintf(text, sizeof text,
                         "#   CURVE **secret** certificate (ZeroMQ RFC 26).\n"
                         "#   Never hand it to anyone, and leave its permissions as they are.\n"
                         "metadata\n"
                         "    name = \"%s\"\n"
                         "curve\n"
                         "    public-key = \"%s\"\n"
                         "    secret-key = \"%s\"\n",
                         keys->name, keys->public_text, keys->secret_text);
    nrs_err_t err = s_write_new(path, 0600, text, (size_t)bytes, reterr);
    explicit_bzero(text, sizeof text);
    return err;
}

// The files' names are durable only when their directory is.
static nrs_err_t
s_sync_dir(const char *dir, nrs_problem_t *reterr)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return synced
               ? NRS_OK
               : nrs_problem_set(reterr, NRS_E_IO, dir, 0, 0, "can't be synced: %s", strerror(why));
}

nrs_err_t
nrs_keys_new(const char *dir, const char *name, nrs_problem_t *reterr, nrs_keys_t *ret_keys)
{
    NRS_ASSERT(dir && name && ret_keys);

    char key_path[PATH_MAX], pub_path[PATH_MAX];
    if (!s_name_ok(name))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0,
                               "a key's name is 1 to 64 of A-Z a-z 0-9 . _ - and does not begin "
                               "with a dot");
    if (snprintf(key_path, sizeof key_path, "%s/%s.key", dir, name) >= (int)sizeof key_path ||
        snprintf(pub_path, sizeof pub_path, "%s/%s.pub", dir, name) >= (int)sizeof pub_path)
        return nrs_problem_set(reterr, NRS_E_IO, NULL, 0, 0,
                               "the path of the directory is too long");

    nrs_keys_t keys = { 0 };
    memcpy(keys.name, name, strlen(name));
    NRS_ASSERT(zmq_curve_keypair(keys.public_text, keys.secret_text) == 0);

    nrs_err_t err = s_write_secret(key_path, &keys, reterr);
    if (!err) {
        err = s_write_public(pub_path, &keys, reterr);
        if (err)
            unlink(key_path);
    }
    if (!err) {
        err = s_sync_dir(dir, reterr);
        if (err) {
            unlink(key_path);
            unlink(pub_path);
        }
    }
    if (!err)
        *ret_keys = keys;
    nrs_keys_wipe(&keys);
    return err;
}

// --- reading -------------------------------------------------------------------------------------

// What is known while a file is read line by line (ZPL, ZeroMQ RFC 4).
typedef struct reader {
    const char *path;
    unsigned line;
    bool in_curve, in_metadata; // which section the line stands in
    nrs_problem_t *reterr;
    nrs_keys_t *keys;
} reader_t;

static nrs_err_t
s_refuse(const reader_t *self, const char *text)
{
    return nrs_problem_set(self->reterr, NRS_E_FORMAT, self->path, self->line, 0, "%s", text);
}

static nrs_bytes_t
s_trim(nrs_bytes_t text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = nrs_bytes(text.data + 1, text.size - 1);
    while (text.size && memchr(" \t\r", text.data[text.size - 1], 3))
        text.size--;
    return text;
}

// How many bytes stand before a comment.
static size_t
s_before_comment(nrs_bytes_t text)
{
    const uint8_t *comment = text.size ? memchr(text.data, '#', text.size) : NULL;
    return comment ? (size_t)(comment - text.data) : text.size;
}

// What stands after `=`: in quotes, or bare up to a comment.
static bool
s_value(nrs_bytes_t text, nrs_bytes_t *ret_value)
{
    text = s_trim(text);
    if (text.size && (text.data[0] == '"' || text.data[0] == '\'')) {
        const uint8_t *end = memchr(text.data + 1, text.data[0], text.size - 1);
        if (!end)
            return false;
        *ret_value = nrs_bytes(text.data + 1, (size_t)(end - text.data) - 1);
        return true;
    }
    *ret_value = s_trim(nrs_bytes(text.data, s_before_comment(text)));
    return true;
}

static nrs_err_t
s_take_key(const reader_t *self, nrs_bytes_t value, char into[NRS_KEY_TEXT_BYTES])
{
    if (!nrs_key_text_ok(value))
        return s_refuse(self, "this is not a CURVE key (40 characters of Z85)");
    memcpy(into, value.data, value.size);
    return NRS_OK;
}

static nrs_err_t
s_read_property(const reader_t *self, nrs_bytes_t line)
{
    const uint8_t *equals = memchr(line.data, '=', line.size);
    if (!equals)
        return NRS_OK; // a section within a section: not ours
    size_t before = (size_t)(equals - line.data);
    nrs_bytes_t name = s_trim(nrs_bytes(line.data, before));
    nrs_bytes_t value;
    if (!s_value(nrs_bytes(equals + 1, line.size - before - 1), &value))
        return s_refuse(self, "the quotation mark at the end is missing");
    if (self->in_curve && nrs_bytes_is(name, "public-key"))
        return s_take_key(self, value, self->keys->public_text);
    if (self->in_curve && nrs_bytes_is(name, "secret-key"))
        return s_take_key(self, value, self->keys->secret_text);
    if (self->in_metadata && nrs_bytes_is(name, "name")) {
        if (value.size >= NRS_KEY_NAME_BYTES || !nrs_utf8_ok(value) ||
            (value.size && memchr(value.data, 0, value.size)))
            return s_refuse(self, "the name is longer than 64 bytes or is not UTF-8");
        memcpy(self->keys->name, value.data, value.size);
        self->keys->name[value.size] = 0;
    }
    return NRS_OK;
}

static nrs_err_t
s_read_line(reader_t *self, nrs_bytes_t line)
{
    nrs_bytes_t content = s_trim(line);
    if (content.size == 0 || content.data[0] == '#')
        return NRS_OK;
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return s_read_property(self, content);
    nrs_bytes_t section = s_trim(nrs_bytes(content.data, s_before_comment(content)));
    self->in_curve = nrs_bytes_is(section, "curve");
    self->in_metadata = nrs_bytes_is(section, "metadata");
    return NRS_OK;
}

static nrs_err_t
s_read_lines(reader_t *self, nrs_bytes_t text)
{
    while (text.size) {
        const uint8_t *newline = memchr(text.data, '\n', text.size);
        size_t length = newline ? (size_t)(newline - text.data) : text.size;
        self->line++;
        nrs_err_t err = s_read_line(self, nrs_bytes(text.data, length));
        if (err)
            return err;
        length += newline ? 1 : 0;
        text = nrs_bytes(text.data + length, text.size - length);
    }
    self->line = 0;
    if (!self->keys->public_text[0])
        return s_refuse(self, "there is no curve/public-key in it");
    return NRS_OK;
}

// Read the whole file, which must be a plain one of a sensible size.
static nrs_err_t
s_read_file(const char *path, char into[FILE_BYTES_MAX], size_t *ret_bytes, mode_t *ret_mode)
{
    // O_NONBLOCK: a FIFO in its place must not hang the start.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        errno = fd < 0 ? errno : EINVAL;
        if (fd >= 0)
            close(fd);
        return NRS_E_IO;
    }
    size_t bytes = 0;
    ssize_t got;
    do {
        got = read(fd, into + bytes, FILE_BYTES_MAX - bytes);
        bytes += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    int why = errno;
    close(fd);
    errno = why;
    *ret_bytes = bytes;
    *ret_mode = status.st_mode;
    return got < 0 ? NRS_E_IO : NRS_OK;
}

// A secret that others can read is no secret; two halves of different pairs would fail much later,
// in a handshake that says nothing.
static nrs_err_t
s_check(const reader_t *self, mode_t mode)
{
    char public_text[NRS_KEY_TEXT_BYTES];
    if (!self->keys->secret_text[0])
        return NRS_OK;
    if (mode & (S_IRWXG | S_IRWXO))
        return nrs_problem_set(self->reterr, NRS_E_DENIED, self->path, 0, 0,
                               "others may read this secret key (mode %03o); chmod 600, and make "
                               "a new pair if someone could have read it",
                               (unsigned)(mode & 0777));
    if (zmq_curve_public(public_text, self->keys->secret_text) != 0 ||
        strcmp(public_text, self->keys->public_text) != 0)
        return s_refuse(self, "the public key does not belong to the secret key");
    return NRS_OK;
}

// A file that does not name itself is called after its file name, up to the first dot.
static void
s_name_after_path(nrs_keys_t *keys, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t length = strcspn(base, ".");
    if (length >= sizeof keys->name)
        length = sizeof keys->name - 1;
    memcpy(keys->name, base, length);
}

nrs_err_t
nrs_keys_load(const char *path, nrs_problem_t *reterr, nrs_keys_t *ret_keys)
{
    NRS_ASSERT(path && ret_keys);

    char text[FILE_BYTES_MAX];
    size_t bytes = 0;
    mode_t mode = 0;
    nrs_keys_t keys = { 0 };
    reader_t reader = { .path = path, .reterr = reterr, .keys = &keys };
    nrs_err_t err = s_read_file(path, text, &bytes, &mode);
    if (err)
        nrs_problem_set(reterr, err, path, 0, 0, "can't be read: %s", strerror(errno));
    else if (bytes == FILE_BYTES_MAX)
        err = s_refuse(&reader, "this is too long for a certificate");
    else
        err = s_read_lines(&reader, nrs_bytes(text, bytes));
    if (!err)
        err = s_check(&reader, mode);
    if (!err && !keys.name[0])
        s_name_after_path(&keys, path);
    if (!err)
        *ret_keys = keys;
    nrs_keys_wipe(&keys);
    explicit_bzero(text, sizeof text);
    return err;
}
