// http.h - a small HTTP server on loopback for metrics and probes, driven by the caller's loop
// Limits:   16 connections of 16 KiB; one that is silent for 5 s is closed. GET and HEAD only.
// Threads:  an object belongs to the thread that opened it.

#ifndef NRS_HTTP_H
#define NRS_HTTP_H

#include "common/base.h"
#include "common/buf.h"

typedef struct nrs_http nrs_http_t;

// Answer GET `path`: fill `body` and `ret_type` (content type), return the HTTP status.
typedef unsigned
nrs_http_answer_t(void *me, const char *path, nrs_buf_t *body, const char **ret_type);

// Is this what nrs_http_open() listens on: a loopback address and a port?
bool
nrs_http_address_ok(const char *address);

// Listen on "127.0.0.1:9464" or "[::1]:9464"; any other address is refused. Port 0 picks one.
// Errors: NRS_E_CONFIG, NRS_E_IO, both with *reterr.
NRS_MUST_CHECK nrs_err_t
nrs_http_open(const char *address, nrs_http_answer_t *answer, void *me, nrs_problem_t *reterr,
              nrs_http_t **ret_http);
void
nrs_http_destroy(nrs_http_t **self_p);
// Becomes readable when there is work.
int
nrs_http_fd(const nrs_http_t *self);
uint16_t
nrs_http_port(const nrs_http_t *self);
// Do what is there to do, without waiting.
void
nrs_http_step(nrs_http_t *self);

#endif
