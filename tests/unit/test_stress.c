/* Stress: whole clients on a simulated network (sim_network.h), with a clock that only the test moves.
 *
 *   storms      a thousand requests at once to a few hosts: GET, HEAD, POST and PUT, every kind of
 *               upload, framing and end; half of them cancelled, from outside and from callbacks;
 *               pauses, time limits, priorities, refused and dying connections, answers that stop;
 *               memory that runs out, a poll that nobody calls for a while; sometimes a shutdown or the
 *               end of the client in the middle
 *   fixed       the same in one block of memory, which is sometimes too small
 *   sweeps      one scenario, in which each call of the transport is once cut, blocked, ended, reset;
 *               pairs of such faults; and each allocation fails once
 *   long run    many cheap requests: pools and allocator calls stay flat
 *
 * Held in all of them: each accepted request completes once; its answer is its own, byte for byte,
 * or an error with phase and sentence that this request may have; bodies are released once; nothing
 * is sent twice that must not be; no poll spins, no deadline lies; at the end every pool is empty, the
 * client still works, falls asleep, and gives every byte back.
 *
 *     test_stress [NAME]           the tests whose name contains it
 *     test_stress seed N           the storms of seed N, with what came of them
 *     test_stress seeds FROM TO    the storms of these seeds
 *     test_stress long N           the long run with N requests */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"
#include "check.h"
#include "counting_allocator.h"
#include "sim_network.h"

enum { NEVER = 0, SLACK_US = 2500 };

typedef struct job {
    sim_job sim; /* first: what the server knows */
    struct stress *s;
    turbohttp_request handle;
    uint32_t slot, host;
    bool is_running, is_submitting, is_cancelled;
    bool is_streamed, is_late; /* late: its callback is set when it is complete */
    bool has_callback, has_release, has_limits, fails_source, fails_sink;
    uint32_t releases, heads;
    uint64_t uploaded, received, told_sent, told_received, submitted_us, total_us;
    uint64_t resume_us, cancel_us; /* 0: not planned */
    uint8_t *bytes;
    char url[64];
} job;

typedef struct stress {
    sim_network net;
    counting_allocator memory;
    turbohttp_transport transport;
    turbohttp_client_desc desc;
    turbohttp_client *client;
    job *jobs;
    void *block; /* fixed-memory mode */
    uint32_t slots, serial, left, running;
    /* one in so many; 0: never */
    uint32_t cancel_in, pause_in, malice_in, limit_in, upload_in, large_in, callback_cancel_in, close_in;
    uint32_t hosts, body_bytes, hitch_in, poll_ms;
    uint64_t shut_us;   /* when to shut down; 0: not */
    bool shuts_inside;  /* from a callback */
    bool ends_inside;   /* from a callback, and not a shutdown but the end of the client */
    bool is_shut, in_poll, is_stuck, ends_open, is_gone;
    bool is_tight;      /* memory may run out */
    uint32_t quiet;
    uint64_t polls, idle_polls, next_action_us;
    uint64_t good, failed, cancelled, timed_out, refused;
    turbohttp_response kept; /* detached from a callback, freed later */
    job *kept_job;
} stress;

static void submit_next(stress *s, job *j);

static void wrong(const job *j, const char *what) {
    sim_mistake(&j->s->net, what, j->sim.serial);
}

static void check_that(const job *j, bool condition, const char *what) {
    if (!condition) wrong(j, what);
}

/* ------------------------------------------------------------ what answers must be */
/* Is the piece the answer's, from byte `at` on? */
static bool is_answer(const job *j, uint64_t at, const void *data, size_t n) {
    const uint8_t *bytes = (const uint8_t *)data;
    if (at + n > (uint64_t)j->sim.body_bytes + j->sim.run_bytes || j->sim.is_head) return n == 0;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != sim_answer_byte(&j->sim, at + i)) return false;
    return true;
}

static uint64_t check_body(const job *j, const turbohttp_response *response) {
    turbohttp_sequence_iterator iterator;
    turbohttp_span piece;
    uint64_t at = 0;
    memset(&iterator, 0, sizeof iterator);
    while (turbohttp_sequence_next(&response->body, &iterator, &piece)) {
        check_that(j, is_answer(j, at, piece.data, piece.length), "another body");
        at += piece.length;
    }
    return at;
}

/* The body in one piece, a block more. */
static void check_text(const job *j, turbohttp_response *response) {
    const char *text = turbohttp_response_text(response);
    size_t n = response->body.length;
    bool has_none = j->s->is_tight && text[0] == 0;
    check_that(j, has_none || n == 0 || is_answer(j, 0, text, n), "another text");
    check_that(j, text == turbohttp_response_text(response) || has_none, "made twice");
}

static void check_marker(const job *j, const turbohttp_response *response) {
    const char *marker = turbohttp_response_header(response, "x-marker");
    check_that(j, marker && strtoul(marker, NULL, 10) == j->sim.serial, "the answer of another request");
}

static void check_success(const job *j, const turbohttp_response *response, uint64_t stored) {
    const sim_job *sim = &j->sim;
    bool has_body = !sim->is_head && sim->framing != SIM_BODYLESS;
    uint64_t total = has_body ? (uint64_t)sim->body_bytes + sim->run_bytes : 0;
    check_that(j, sim->malice == SIM_GOOD, "a success that cannot be");
    check_that(j, response->status == sim->status, "another status");
    bool may_be_short = sim->framing == SIM_UNTIL_CLOSE && j->s->net.faults[0].hit; /* nobody can tell */
    check_that(j, may_be_short || (j->is_streamed ? j->received : stored) == total, "a body that is not whole");
    check_that(j, may_be_short || response->body_bytes == total, "a body of another length");
    check_that(j, sim->upload_bytes == 0 || sim->is_uploaded || sim->answers_early, "an upload that is not whole");
    bool has_trailers = has_body && sim->framing == SIM_CHUNKED && sim->has_trailers;
    check_that(j, response->trailer_count == (has_trailers ? 1u : 0u), "other trailers");
    if (has_trailers && response->trailer_count) check_that(j, strtoul(response->trailers[0].value, NULL, 10) == sim->serial, "another's trailer");
}

/* Does a connection that ended say all about this error? Its own answer was cut, or the connection was
 * kept and had died, and the request may not be repeated once a byte of it was taken. */
static bool may_have_died(const job *j, const turbohttp_response *response) {
    bool may_repeat = j->sim.is_idempotent && j->sim.upload < SIM_READ;
    if (j->sim.malice == SIM_TRUNCATED || j->sim.malice == SIM_RESET) return true;
    return response->is_reused && !may_repeat && j->sim.attempts > 0;
}

static bool may_fail(const job *j, const turbohttp_response *response) {
    const stress *s = j->s;
    const sim_job *sim = &j->sim;
    switch ((int)response->error.code) {
    case TURBOHTTP_ERR_CANCELLED: return j->is_cancelled;
    case TURBOHTTP_ERR_SHUTDOWN: return s->is_shut;
    case TURBOHTTP_ERR_TIMEOUT: return j->has_limits || sim->malice == SIM_STALLED || s->hitch_in;
    case TURBOHTTP_ERR_CONNECT: return s->net.refuses_in != 0;
    case TURBOHTTP_ERR_NO_RESPONSE:
    case TURBOHTTP_ERR_SEND:
    case TURBOHTTP_ERR_RECEIVE: return may_have_died(j, response);
    case TURBOHTTP_ERR_HEAD_TRUNCATED:
    case TURBOHTTP_ERR_BODY_TRUNCATED:
    case TURBOHTTP_ERR_INFLATE_DATA: return sim->malice == SIM_TRUNCATED;
    case TURBOHTTP_ERR_NOT_HTTP:
    case TURBOHTTP_ERR_STATUS_LINE: return sim->malice == SIM_GARBAGE;
    case TURBOHTTP_ERR_BODY_SOURCE: return j->fails_source;
    case TURBOHTTP_ERR_BODY_SINK: return j->fails_sink;
    case TURBOHTTP_ERR_FILE: return j->fails_source || j->fails_sink; /* what both of ours say */
    case TURBOHTTP_ERR_OUT_OF_MEMORY: return s->is_tight;
    default: return false;
    }
}

static void check_failure(stress *s, const job *j, const turbohttp_response *response) {
    const turbohttp_error *error = &response->error;
    bool is_fault = s->net.faults[0].hit; /* the sweep judges by itself */
    if (!is_fault && !may_fail(j, response)) {
        printf("  %s in phase %s: %s\n", turbohttp_status_name(error->code), turbohttp_phase_name(error->phase), error->text);
        wrong(j, "an error that cannot be");
    }
    check_that(j, error->text[0] != 0, "an error without a sentence");
    check_that(j, error->phase != TURBOHTTP_PHASE_NONE, "an error without a phase");
    check_that(j, error->request_sent == (j->sim.attempts > 0), "request_sent lies");
    s->failed++;
    s->cancelled += error->code == TURBOHTTP_ERR_CANCELLED;
    s->timed_out += error->code == TURBOHTTP_ERR_TIMEOUT;
}

/* ------------------------------------------------------------ callbacks */
static void touch(job *j) {
    j->s->net.progress++;
    check_that(j, j->is_running, "a callback after the end");
    check_that(j, !j->is_submitting && j->s->in_poll, "a callback outside of a poll");
}

static void cancel(job *j) {
    bool is_known = turbohttp_cancel(j->s->client, j->handle) == TURBOHTTP_OK;
    check_that(j, is_known == j->is_running, "a handle that is stale too early or too late");
    if (j->is_running) j->is_cancelled = true;
    j->s->net.progress++;
}

static void cancel_somebody(stress *s) {
    job *j = &s->jobs[sim_below(&s->net, s->slots)];
    if (!j->is_submitting) cancel(j);
}

static void plan(stress *s, uint64_t *when, uint32_t most_us) {
    *when = s->net.now_us + 1 + sim_below(&s->net, most_us);
    if (*when < s->next_action_us) s->next_action_us = *when;
}

static void shut_down(stress *s) {
    s->is_shut = true;
    s->shut_us = NEVER;
    s->left = 0;
    if (s->in_poll && s->ends_inside) {
        turbohttp_client_destroy(s->client);
        s->is_gone = true; /* when the poll returns */
    } else {
        turbohttp_client_shutdown(s->client);
    }
}

/* What a callback may do to the client. */
static void meddle(stress *s, job *j) {
    if (sim_one_in(&s->net, s->callback_cancel_in)) cancel(j);
    if (sim_one_in(&s->net, s->callback_cancel_in)) cancel_somebody(s);
    if (s->shuts_inside && s->shut_us && s->net.now_us >= s->shut_us) shut_down(s);
}

static void on_release(void *user) {
    job *j = (job *)user;
    j->releases++;
    free(j->bytes);
    j->bytes = NULL;
}

static turbohttp_status on_read(void *user, void *data, size_t room, size_t *length) {
    job *j = (job *)user;
    stress *s = j->s;
    uint8_t *bytes = (uint8_t *)data;
    uint64_t left = j->sim.upload_bytes - j->uploaded;
    touch(j);
    meddle(s, j);
    if (sim_one_in(&s->net, s->pause_in)) {
        plan(s, &j->resume_us, 2000);
        return TURBOHTTP_PENDING;
    }
    if (j->fails_source && j->uploaded > j->sim.upload_bytes / 2) return TURBOHTTP_ERR_FILE;
    size_t n = left < room ? (size_t)left : room;
    if (n > 1 && sim_one_in(&s->net, 2)) n = 1 + sim_below(&s->net, (uint32_t)n);
    for (size_t i = 0; i < n; i++) bytes[i] = sim_byte(j->sim.serial, j->uploaded + i);
    j->uploaded += n;
    *length = n;
    return n == left ? TURBOHTTP_DONE : TURBOHTTP_OK;
}

static void on_progress(void *user, uint64_t sent, uint64_t send_total, uint64_t received, uint64_t receive_total) {
    job *j = (job *)user;
    touch(j);
    bool is_anew = sent == 0 && j->sim.attempts > 0; /* a body that is sent again */
    bool is_backwards = (sent < j->told_sent && !is_anew && j->sim.attempts < 2) || received < j->told_received;
    bool is_beyond = (send_total && sent > send_total) || (receive_total && received > receive_total);
    check_that(j, !is_backwards, "progress goes back");
    check_that(j, !is_beyond, "progress beyond the total");
    j->told_sent = sent;
    j->told_received = received;
}

static void on_head(void *user, const turbohttp_response *head) {
    job *j = (job *)user;
    touch(j);
    check_that(j, j->heads++ == 0, "two heads");
    check_marker(j, head);
    meddle(j->s, j);
}

static turbohttp_status on_body(void *user, const void *data, size_t n) {
    job *j = (job *)user;
    stress *s = j->s;
    touch(j);
    check_that(j, n > 0 && is_answer(j, j->received, data, n), "other bytes than the answer's");
    meddle(s, j);
    if (sim_one_in(&s->net, s->pause_in)) {
        plan(s, &j->resume_us, 2000);
        return TURBOHTTP_PENDING;
    }
    if (j->fails_sink) return TURBOHTTP_ERR_FILE;
    j->received += n;
    return TURBOHTTP_OK;
}

/* ------------------------------------------------------------ the end of a request */
static void finish(job *j, turbohttp_response *response) {
    stress *s = j->s;
    uint64_t stored = check_body(j, response);
    if (sim_one_in(&s->net, 16)) check_text(j, response);
    check_that(j, j->is_running, "completed twice");
    check_that(j, j->releases == (j->has_release ? 1u : 0u), "a body that is not released once");
    bool is_in_time = !j->total_us || s->hitch_in || s->net.now_us <= j->submitted_us + j->total_us + SLACK_US;
    check_that(j, is_in_time, "later than its limit");
    if (response->status) check_marker(j, response);
    if (response->error.code == TURBOHTTP_OK) check_success(j, response, stored), s->good++;
    else check_failure(s, j, response);
    sim_note(&s->net, j->sim.serial);
    sim_note(&s->net, (uint64_t)response->error.code + 1000);
    sim_note(&s->net, s->net.now_us);
    free(j->bytes);
    j->bytes = NULL;
    j->is_running = false;
    j->resume_us = j->cancel_us = NEVER;
    s->running--;
    s->net.progress++;
}

static void free_kept(stress *s) {
    if (!s->kept_job) return;
    turbohttp_response_free(&s->kept);
    s->kept_job = NULL;
}

static void on_done(void *user, turbohttp_request request, turbohttp_response *response) {
    job *j = (job *)user;
    stress *s = j->s;
    turbohttp_response other;
    if (!s->ends_open) touch(j);
    check_that(j, request.id == j->handle.id, "another handle");
    check_that(j, turbohttp_take(s->client, request, &other) == TURBOHTTP_ERR_STALE, "taken twice");
    finish(j, response);
    if (sim_one_in(&s->net, 8)) {
        free_kept(s);
        turbohttp_response_detach(response, &s->kept);
        s->kept_job = j;
    }
    if (sim_one_in(&s->net, s->callback_cancel_in)) cancel_somebody(s);
    if (s->shuts_inside && s->shut_us && s->net.now_us >= s->shut_us) shut_down(s);
    if (sim_one_in(&s->net, 2) && s->left) submit_next(s, j);
}

static job *job_of(stress *s, turbohttp_request request) {
    for (uint32_t i = 0; i < s->slots; i++)
        if (s->jobs[i].handle.id == request.id) return &s->jobs[i];
    return NULL;
}

static void take_finished(stress *s) {
    turbohttp_request request;
    turbohttp_response response;
    while (turbohttp_next_done(s->client, &request) == TURBOHTTP_OK) {
        job *j = job_of(s, request);
        if (j && j->is_late) {
            j->is_late = false;
            j->has_callback = true;
            turbohttp_on_done(s->client, request, on_done, j);
        }
        if (j && j->has_callback) return; /* the next poll calls */
        if (!j || turbohttp_take(s->client, request, &response) != TURBOHTTP_OK) {
            sim_mistake(&s->net, "done, and cannot be taken", 0);
            return;
        }
        finish(j, &response);
        turbohttp_response_free(&response);
    }
}

/* ------------------------------------------------------------ the begin of a request */
static void draw_upload(stress *s, job *j) {
    sim_network *net = &s->net;
    sim_job *sim = &j->sim;
    if (!sim_one_in(net, s->upload_in)) return;
    sim->upload = (sim_upload)(1 + sim_below(net, SIM_UPLOADS - 1));
    sim->upload_bytes = sim_below(net, sim_one_in(net, 10) ? s->body_bytes * 10 : 2000);
    if (sim->upload == SIM_BYTES && sim->upload_bytes == 0) sim->upload_bytes = 1;
    if (sim->upload == SIM_READ && sim->upload_bytes == 0) sim->upload = SIM_READ_CHUNKED;
    sim->is_idempotent = sim_one_in(net, 4); /* PUT */
    sim->expects_continue = sim_one_in(net, 6);
    sim->ignores_expect = sim_one_in(net, 4);
    sim->answers_early = sim_one_in(net, 8);
    j->has_release = sim_one_in(net, 2);
    j->fails_source = sim->upload >= SIM_READ && sim_one_in(net, 20);
}

static void draw_answer(stress *s, job *j) {
    sim_network *net = &s->net;
    sim_job *sim = &j->sim;
    static const uint16_t statuses[] = {200, 200, 200, 201, 404, 500};
    sim->framing = (sim_framing)sim_below(net, SIM_FRAMINGS);
    sim->status = sim->framing == SIM_BODYLESS ? 204 : statuses[sim_below(net, 6)];
    sim->body_bytes = sim_below(net, sim_one_in(net, s->large_in) ? s->body_bytes * 20 : s->body_bytes);
    sim->is_gzip = sim_one_in(net, 4) && sim->framing != SIM_BODYLESS && sim->body_bytes > 0;
    if (sim->is_gzip) sim->run_bytes = sim_one_in(net, 2) ? 1 + 258 * sim_below(net, 400) : 0;
    sim->interims = (uint8_t)(sim_one_in(net, 8) ? sim_below(net, 3) : 0);
    sim->has_trailers = sim_one_in(net, 3);
    if (sim->framing == SIM_UNTIL_CLOSE && !sim_one_in(net, 4)) sim->framing = SIM_LENGTH;
    if (sim_one_in(net, s->close_in)) sim->after = (sim_after)sim_below(net, SIM_AFTERS);
    if (sim->framing == SIM_UNTIL_CLOSE) sim->after = SIM_CLOSE;
    if (sim_one_in(net, s->malice_in)) sim->malice = (sim_malice)sim_below(net, SIM_MALICES);
    sim->stop_permille = sim_below(net, 1000);
    if (sim->framing == SIM_UNTIL_CLOSE && sim->malice == SIM_TRUNCATED) sim->malice = SIM_RESET; /* else it is whole */
    if (sim->malice != SIM_GOOD && sim->after == SIM_JUNK) sim->after = SIM_KEEP;
}

static void draw_job(stress *s, job *j) {
    sim_network *net = &s->net;
    memset(j, 0, sizeof *j);
    j->s = s;
    j->slot = (uint32_t)(j - s->jobs);
    j->sim.serial = ++s->serial;
    j->sim.is_idempotent = true;
    j->host = sim_below(net, s->hosts);
    draw_upload(s, j);
    draw_answer(s, j);
    if (j->sim.upload == SIM_NO_UPLOAD) j->sim.is_head = sim_one_in(net, 8);
    j->is_streamed = sim_one_in(net, 3);
    j->fails_sink = j->is_streamed && sim_one_in(net, s->malice_in) && sim_one_in(net, 4);
    j->has_limits = sim_one_in(net, s->limit_in);
    j->has_callback = !sim_one_in(net, 4);
    j->is_late = !j->has_callback && sim_one_in(net, 3);
    snprintf(j->url, sizeof j->url, "http://%c.test/%u/%u", (int)('a' + j->host), j->slot, j->sim.serial);
}

static void describe_limits(stress *s, job *j, turbohttp_timeouts *t) {
    sim_network *net = &s->net;
    uint32_t ms = 1 + sim_below(net, 60);
    switch (sim_below(net, 5)) {
    case 0: t->first_byte_ms = ms; break;
    case 1: t->idle_ms = ms; break;
    case 2: t->connect_ms = ms; break;
    case 3: t->send_ms = ms; break;
    default: t->total_ms = ms; j->total_us = (uint64_t)ms * 1000;
    }
}

static void describe_body(job *j, turbohttp_body *body) {
    static const turbohttp_header_field trailer = {"X-Up", "yes"};
    sim_job *sim = &j->sim;
    if (sim->upload == SIM_NO_UPLOAD) return;
    body->user = j;
    body->trailers = &trailer;
    body->trailer_count = sim->serial & 1; /* only the chunked coding has any */
    body->content_type = "application/octet-stream";
    body->release = j->has_release ? on_release : NULL;
    body->length = sim->upload_bytes;
    body->is_unknown = sim->upload == SIM_BYTES_CHUNKED || sim->upload == SIM_READ_CHUNKED;
    if (sim->upload >= SIM_READ) {
        body->read = on_read;
        return;
    }
    j->bytes = (uint8_t *)malloc(sim->upload_bytes + 1);
    if (!j->bytes) abort();
    for (uint32_t i = 0; i < sim->upload_bytes; i++) j->bytes[i] = sim_byte(sim->serial, i);
    body->data = j->bytes;
}

static void describe(stress *s, job *j, turbohttp_request_desc *desc) {
    memset(desc, 0, sizeof *desc);
    desc->url = j->url;
    desc->method = j->sim.is_head ? "HEAD" : j->sim.upload == SIM_NO_UPLOAD ? NULL : j->sim.is_idempotent ? "PUT" : "POST";
    describe_body(j, &desc->body);
    desc->on_body = j->is_streamed ? on_body : NULL;
    desc->on_head = on_head;
    desc->on_progress = j->sim.is_gzip || sim_one_in(&s->net, 2) ? on_progress : NULL; /* decoding is progress */
    desc->on_done = j->has_callback ? on_done : NULL;
    desc->user = j;
    desc->expect_continue = j->sim.expects_continue;
    desc->priority = (turbohttp_priority)((int)sim_below(&s->net, 4) - 1);
    desc->disable_reuse = sim_one_in(&s->net, s->close_in) && sim_one_in(&s->net, 4);
    if (j->has_limits) describe_limits(s, j, &desc->timeouts);
}

/* An error of submit is the whole story. */
static void refused(stress *s, job *j, turbohttp_status status, const turbohttp_error *error) {
    bool is_expected = status == TURBOHTTP_ERR_OUT_OF_MEMORY ? s->is_tight
                       : status == TURBOHTTP_ERR_SHUTDOWN    ? s->is_shut
                                                             : status == TURBOHTTP_ERR_QUEUE_FULL;
    check_that(j, is_expected, "a submit that must not fail");
    check_that(j, error->code == status && error->text[0], "a submit without a sentence");
    check_that(j, j->releases == (j->has_release ? 1u : 0u), "a refused body that is not released once");
    free(j->bytes);
    j->bytes = NULL;
    s->refused++;
}

static void submit(stress *s, job *j) {
    turbohttp_request_desc desc;
    turbohttp_error error;
    describe(s, j, &desc);
    j->is_submitting = true;
    j->submitted_us = s->net.now_us;
    s->net.progress++;
    turbohttp_status status = turbohttp_submit(s->client, &desc, &j->handle, &error);
    j->is_submitting = false;
    if (status != TURBOHTTP_OK) {
        refused(s, j, status, &error);
        return;
    }
    j->is_running = true;
    s->running++;
    if (sim_one_in(&s->net, s->cancel_in)) plan(s, &j->cancel_us, sim_one_in(&s->net, 2) ? 300000 : 3000);
}

static void submit_next(stress *s, job *j) {
    if (s->kept_job == j) free_kept(s);
    s->left--;
    draw_job(s, j);
    submit(s, j);
}

/* ------------------------------------------------------------ time */
static uint64_t earlier(uint64_t a, uint64_t b) {
    return b && b < a ? b : a;
}

static bool is_due(const stress *s, uint64_t when) {
    return when && when <= s->net.now_us;
}

static void act_on(stress *s, job *j) {
    if (j->is_running && is_due(s, j->cancel_us)) {
        j->cancel_us = NEVER;
        cancel(j);
    }
    if (j->is_running && is_due(s, j->resume_us)) {
        j->resume_us = NEVER;
        s->net.progress++;
        check_that(j, turbohttp_resume(s->client, j->handle) == TURBOHTTP_OK, "cannot be resumed");
    }
    if (!j->is_running && s->left && sim_one_in(&s->net, 4)) submit_next(s, j);
    if (!j->is_running) return;
    s->next_action_us = earlier(earlier(s->next_action_us, j->cancel_us), j->resume_us);
}

static void act(stress *s) {
    if (s->next_action_us > s->net.now_us && (!s->left || s->running == s->slots)) return;
    s->next_action_us = UINT64_MAX;
    for (uint32_t i = 0; i < s->slots; i++) act_on(s, &s->jobs[i]);
    if (is_due(s, s->shut_us) && !s->shuts_inside) shut_down(s);
    if (!s->shuts_inside) s->next_action_us = earlier(s->next_action_us, s->shut_us);
    if (s->left && s->running < s->slots) s->next_action_us = earlier(s->next_action_us, s->net.now_us + 100);
}

/* The client sleeps inside of its poll: until something comes, or for as long as it said. */
static void sleep_inside(void *user, uint32_t timeout_ms) {
    stress *s = (stress *)user; /* begins with the network */
    uint64_t next = earlier(sim_next_event(&s->net), s->net.now_us + (uint64_t)timeout_ms * 1000);
    next = earlier(next, s->next_action_us > s->net.now_us ? s->next_action_us : NEVER);
    if (timeout_ms == 0 || timeout_ms > s->poll_ms) sim_mistake(&s->net, "a sleep that nobody allowed", timeout_ms);
    s->net.now_us = next;
}

/* Nothing moved: on to the next moment at which something does. */
static void wait_for_something(stress *s) {
    uint32_t ms;
    uint64_t next = earlier(sim_next_event(&s->net), s->next_action_us);
    turbohttp_watches(s->client, NULL, 0, &ms);
    s->idle_polls++;
    if (ms == 0) {
        if (++s->quiet == 3) sim_mistake(&s->net, "a deadline in the past, and nothing to do", 0);
        if (s->quiet >= 3) s->is_stuck = true;
        return;
    }
    s->quiet = 0;
    if (ms != TURBOHTTP_NO_TIMEOUT) next = earlier(next, s->net.now_us + (uint64_t)ms * 1000);
    if (next != UINT64_MAX) {
        if (next > s->net.now_us) s->net.now_us = next;
    } else if (s->running) {
        sim_mistake(&s->net, "nothing will ever happen, and requests wait", s->running);
        s->is_stuck = true;
    }
}

static void check_poll(stress *s, turbohttp_status status) {
    turbohttp_client_stats stats;
    for (uint32_t i = 0; status == TURBOHTTP_OK && i < s->slots && s->running; i++) {
        bool is_due_call = s->jobs[i].is_running && s->jobs[i].has_callback;
        if (is_due_call) wrong(&s->jobs[i], "poll says that none is in flight, its callback was not called");
        if (is_due_call) return;
    }
    if (!s->is_shut) return;
    turbohttp_client_stats_get(s->client, &stats);
    if (stats.requests_active) sim_mistake(&s->net, "shut down, and requests are active", stats.requests_active);
}

static void step(stress *s) {
    uint64_t before = s->net.progress;
    act(s);
    s->in_poll = true;
    turbohttp_status status = turbohttp_poll(s->client, s->poll_ms);
    s->in_poll = false;
    s->polls++;
    if (s->is_gone) return;
    check_poll(s, status);
    take_finished(s);
    if (s->net.progress == before) {
        wait_for_something(s);
        return;
    }
    s->quiet = 0;
    s->net.now_us += sim_below(&s->net, 30);
    if (sim_one_in(&s->net, s->hitch_in)) s->net.now_us += sim_below(&s->net, 40000000); /* nobody polled for a while */
}

/* ------------------------------------------------------------ begin and end */
static void describe_client(stress *s, uint64_t seed, uint32_t slots) {
    memset(s, 0, sizeof *s);
    s->slots = slots;
    s->jobs = (job *)calloc(slots, sizeof *s->jobs);
    if (!s->jobs) abort();
    for (uint32_t i = 0; i < slots; i++) s->jobs[i].s = s;
    s->net.random = seed;
    s->net.now_us = 1000000;
    s->net.jobs = (uint8_t *)s->jobs;
    s->net.job_size = sizeof(job);
    s->net.job_count = slots;
    s->next_action_us = UINT64_MAX;
    s->hosts = 4;
    s->body_bytes = 1000;
    s->transport = sim_transport(&s->net);
    s->transport.io_wait = sleep_inside;
    s->desc.allocator = counting_allocator_hooks(&s->memory);
    s->desc.transport = &s->transport;
    s->desc.clock.user = &s->net;
    s->desc.clock.now_us = sim_now;
    s->desc.limits.requests = slots;
    s->desc.timeouts.first_byte_ms = s->desc.timeouts.idle_ms = 3000;
    s->desc.timeouts.total_ms = TURBOHTTP_NO_TIMEOUT;
}

static void create(stress *s) {
    const turbohttp_limits *l = &s->desc.limits;
    s->net.cap_per_host = l->connections_per_host ? l->connections_per_host : 6;
    s->net.cap_total = l->connections ? l->connections : 64;
    uint64_t fail_each = s->memory.fail_each;
    s->memory.fail_each = 0;
    if (turbohttp_client_create(&s->client, &s->desc) != TURBOHTTP_OK) abort();
    s->memory.fail_each = fail_each;
}

static void run_all(stress *s) {
    uint64_t bound = 5000000 + 10000 * (uint64_t)s->left;
    act(s);
    while ((s->running || s->left) && !s->is_stuck && !s->is_gone) {
        step(s);
        if (s->polls > bound) sim_mistake(&s->net, "polled without end", s->running), s->is_stuck = true;
    }
}

static void check_zero(stress *s, uint64_t value, const char *what) {
    if (value) sim_mistake(&s->net, what, (uint32_t)value);
}

/* Nobody has a request or a response: everything is back. */
static void check_baseline(stress *s) {
    turbohttp_client *client = s->client;
    turbohttp_client_stats stats;
    free_kept(s);
    turbohttp_client_stats_get(client, &stats);
    check_zero(s, stats.requests_active + stats.requests_waiting + stats.requests_done, "requests are left");
    check_zero(s, turbohttp_object_pool_stats(&client->request_pool).active, "request objects are out");
    check_zero(s, turbohttp_object_pool_stats(&client->inflaters).active, "inflaters are out");
    check_zero(s, stats.blocks.active, "blocks are out");
    check_zero(s, turbohttp_object_pool_stats(&client->link_pool).active != stats.connections_open, "links are out");
    check_zero(s, stats.connections_open != s->net.opened - s->net.shut, "connections are not as counted");
    check_zero(s, stats.connections_open != stats.connections_idle, "connections are busy");
    check_zero(s, client->opening_count, "connections are counted as opening");
}

static void send_blocking(stress *s, job *j) {
    turbohttp_request_desc desc;
    turbohttp_response response;
    describe(s, j, &desc);
    desc.on_done = NULL;
    s->poll_ms = 1000; /* how long it may sleep at a time */
    s->running++;
    s->in_poll = j->is_running = true;
    check_that(j, turbohttp_send(s->client, &desc, &response) == response.error.code, "two errors");
    s->in_poll = false;
    finish(j, &response);
    turbohttp_response_free(&response);
}

/* A plain request, now that all is calm. */
static void check_next_request(stress *s) {
    job *j = &s->jobs[0];
    uint64_t good = s->good;
    s->net.refuses_in = s->net.dies_in = s->net.split_in = 0;
    memset(s->net.faults, 0, sizeof s->net.faults);
    memset(j, 0, sizeof *j);
    j->s = s;
    j->sim.serial = ++s->serial;
    j->sim.is_idempotent = j->has_callback = true;
    j->sim.status = 200;
    j->sim.body_bytes = 10;
    s->left = s->cancel_in = s->pause_in = s->callback_cancel_in = s->hitch_in = 0;
    s->memory.fail_each = s->memory.fail_at = 0;
    s->shut_us = NEVER;
    snprintf(j->url, sizeof j->url, "http://a.test/0/%u", j->sim.serial);
    if (sim_one_in(&s->net, 2)) {
        send_blocking(s, j);
    } else {
        submit(s, j);
        run_all(s);
    }
    check_zero(s, s->good != good + 1, "the next request failed");
}

/* Left alone the client closes what it kept, and asks for nothing any more. */
static void check_sleep(stress *s) {
    uint32_t ms = 0, turns = 0;
    for (; turns < 2 * s->net.cap_total + 10; turns++) {
        turbohttp_watches(s->client, NULL, 0, &ms);
        if (ms == TURBOHTTP_NO_TIMEOUT) break;
        s->net.now_us += (uint64_t)ms * 1000;
        turbohttp_poll(s->client, 0);
    }
    check_zero(s, ms != TURBOHTTP_NO_TIMEOUT, "does not fall asleep");
    check_zero(s, s->net.opened - s->net.shut, "asleep with connections");
    check_zero(s, s->client->origins != NULL, "asleep with origins");
    check_baseline(s);
}

/* With requests in flight: those with callbacks hear of it. */
static void destroy(stress *s) {
    s->is_shut = s->in_poll = true;
    s->ends_open = s->running > 0;
    s->left = 0;
    if (!s->is_gone) turbohttp_client_destroy(s->client);
    for (uint32_t i = 0; i < s->slots; i++) {
        job *j = &s->jobs[i];
        if (!j->is_running) continue;
        check_that(j, !j->has_callback, "its callback was never called");
        check_that(j, j->releases == (j->has_release ? 1u : 0u), "a body was not released");
        free(j->bytes);
    }
}

static uint64_t end(stress *s) {
    destroy(s);
    free_kept(s);
    check_zero(s, s->net.opened - s->net.shut, "connections are left");
    if (!s->block && !counting_allocator_balanced(&s->memory)) sim_mistake(&s->net, "memory is left", (uint32_t)s->memory.live_bytes);
    if (s->idle_polls > 4 * s->net.progress + 1000) sim_mistake(&s->net, "too many polls for nothing", (uint32_t)s->idle_polls);
    free(s->jobs);
    free(s->block);
    return s->net.mistakes;
}

/* ------------------------------------------------------------ storms */
/* Each seed has features and faults of its own. */
static void draw_knobs(stress *s) {
    sim_network *net = &s->net;
    static const uint32_t latencies[] = {0, 100, 3000, 20000}, budgets[] = {0, 0, 2048, 10000};
    net->split_in = sim_one_in(net, 4) ? 0 : 1 + sim_below(net, 8);
    net->latency_us = latencies[sim_below(net, 4)];
    net->dies_in = sim_one_in(net, 2) ? 3 + sim_below(net, 20) : 0;
    net->refuses_in = sim_one_in(net, 3) ? 5 + sim_below(net, 50) : 0;
    net->dead_takes_bytes = sim_one_in(net, 2);
    s->hosts = 1 + sim_below(net, SIM_HOSTS);
    s->cancel_in = sim_one_in(net, 4) ? 0 : 1 + sim_below(net, 4);
    s->callback_cancel_in = sim_one_in(net, 3) ? 0 : 5 + sim_below(net, 50);
    s->pause_in = sim_one_in(net, 3) ? 0 : 2 + sim_below(net, 10);
    s->malice_in = sim_one_in(net, 3) ? 0 : 3 + sim_below(net, 30);
    s->limit_in = sim_one_in(net, 3) ? 0 : 2 + sim_below(net, 20);
    s->upload_in = 1 + sim_below(net, 6);
    s->close_in = sim_one_in(net, 3) ? 0 : 2 + sim_below(net, 20);
    s->large_in = 20;
    s->body_bytes = sim_one_in(net, 4) ? 1 + sim_below(net, 10000) : 1 + sim_below(net, 500);
    s->desc.limits.connections_per_host = 1 + sim_below(net, 8);
    s->desc.limits.connections = 1 + sim_below(net, 30);
    s->desc.limits.poll_bytes = budgets[sim_below(net, 4)];
    s->desc.limits.block_bytes = 512u << sim_below(net, 6);
    s->desc.disable_pooling = sim_one_in(net, 8);
    s->desc.disable_keep_alive = sim_one_in(net, 16);
    s->poll_ms = sim_one_in(net, 4) ? 1 + sim_below(net, 100) : 0;
    s->hitch_in = sim_one_in(net, 8) ? 20 + sim_below(net, 200) : 0;
    s->memory.fail_each = sim_one_in(net, 8) ? 11 + sim_below(net, 200) : 0;
    s->is_tight = s->memory.fail_each != 0;
    if (sim_one_in(net, 6)) s->shut_us = net->now_us + 1 + sim_below(net, 20000);
    s->shuts_inside = sim_one_in(net, 2);
    s->ends_inside = sim_one_in(net, 2);
}

static void report(const stress *s, uint64_t seed) {
    printf("seed %llu: %llu good, %llu failed (%llu cancelled, %llu late), %llu refused; %u connections, "
           "%llu polls, %llu for nothing, hash %016llx\n",
           (unsigned long long)seed, (unsigned long long)s->good, (unsigned long long)s->failed, (unsigned long long)s->cancelled,
           (unsigned long long)s->timed_out, (unsigned long long)s->refused, s->net.opened, (unsigned long long)s->polls,
           (unsigned long long)s->idle_polls, (unsigned long long)s->net.hash);
}

static bool is_loud; /* the program was given one seed */

static uint64_t finish_storm(stress *s, uint64_t seed, const char *name) {
    bool is_abandoned = s->is_stuck || s->running || s->is_gone;
    if (!is_abandoned) check_baseline(s);
    if (!is_abandoned && !s->is_shut) check_next_request(s);
    if (!is_abandoned && !s->is_shut) check_sleep(s);
    if (is_loud) report(s, seed);
    uint64_t hash = s->net.hash, mistakes = end(s);
    if (mistakes) printf("%s of seed %llu: %llu mistakes\n", name, (unsigned long long)seed, (unsigned long long)mistakes);
    CHECK_INT(mistakes, 0);
    return hash;
}

static uint64_t storm(uint64_t seed, uint32_t slots, uint32_t requests) {
    stress s;
    describe_client(&s, seed, slots);
    draw_knobs(&s);
    if (sim_one_in(&s.net, 8)) s.desc.limits.requests = slots - slots / 4; /* some are refused */
    s.left = requests;
    create(&s);
    for (uint32_t i = 0; i < slots && s.left && i < requests; i++) submit_next(&s, &s.jobs[i]);
    bool is_torn = sim_one_in(&s.net, 10);
    for (uint32_t i = 0; is_torn && (s.running || s.left) && !s.is_gone && i < 40; i++) step(&s);
    if (!is_torn) run_all(&s);
    return finish_storm(&s, seed, "storm");
}

/* In one block of memory, a quarter of the seeds with too little of it. */
static uint64_t fixed_storm(uint64_t seed) {
    stress s;
    describe_client(&s, seed, 24);
    draw_knobs(&s);
    turbohttp_limits *l = &s.desc.limits;
    l->connections = l->connections_per_host = 1 + sim_below(&s.net, 6);
    l->receive_bytes = l->block_bytes = 512u << sim_below(&s.net, 3);
    l->header_count = 16;
    size_t bytes = TURBOHTTP_FIXED_BYTES(s.slots, l->connections, l->block_bytes, l->header_count);
    if (sim_one_in(&s.net, 4)) bytes -= bytes / (2 + sim_below(&s.net, 6));
    s.block = malloc(bytes);
    s.is_tight = true;
    if (!s.block) abort();
    s.desc.memory = s.block;
    s.desc.memory_bytes = bytes;
    s.body_bytes = 200;
    s.left = 200;
    create(&s);
    run_all(&s);
    return finish_storm(&s, seed, "fixed storm");
}

static void storms(uint64_t from, uint64_t to) {
    for (uint64_t seed = from; seed < to && !check_failed_here; seed++) {
        storm(seed, 40, 120);
        storm(seed, 1 + (uint32_t)seed % 3, 60); /* where the last one in flight ends is seen often */
        fixed_storm(seed);
        if (seed % 20 == 0) storm(seed, 1000, 1500);
    }
}

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
enum { STORMS = 200, LONG_RUN = 100000 };
#else
enum { STORMS = 60, LONG_RUN = 30000 };
#endif

static void F_storms_of_requests_and_faults(void) {
    storms(1, 1 + STORMS);
}

static void O9_equal_seeds_behave_alike(void) {
    for (uint64_t seed = 1; seed < 6; seed++) {
        CHECK(storm(seed, 40, 120) == storm(seed, 40, 120));
        CHECK(fixed_storm(seed) == fixed_storm(seed));
    }
}

/* ------------------------------------------------------------ sweeps */
/* Two hosts, two connections to each, one request of each kind; whatever is drawn is the same in each
 * run, as long as nothing goes wrong. */
enum { SWEEP_JOBS = 14 };

static void draw_sweep_job(stress *s, uint32_t i) {
    static const sim_framing framings[] = {SIM_LENGTH, SIM_CHUNKED, SIM_LENGTH, SIM_BODYLESS, SIM_CHUNKED, SIM_LENGTH, SIM_UNTIL_CLOSE};
    job *j = &s->jobs[i];
    memset(j, 0, sizeof *j);
    j->s = s;
    j->slot = i;
    j->host = i & 1;
    j->sim.serial = ++s->serial;
    j->sim.framing = framings[i / 2];
    j->sim.status = j->sim.framing == SIM_BODYLESS ? 204 : 200;
    j->sim.upload = (sim_upload)(i % 3 == 2 ? 1 + i / 3 : 0);
    j->sim.upload_bytes = j->sim.upload ? 3000 : 0;
    j->sim.is_idempotent = j->sim.upload == SIM_NO_UPLOAD || j->sim.upload == SIM_BYTES;
    j->sim.is_head = i == 12;
    j->sim.is_gzip = i == 4 || i == 8 || i == 9;
    j->sim.run_bytes = j->sim.is_gzip ? 1 + 258 * 30 : 0;
    j->sim.body_bytes = 700 * (i % 4);
    j->sim.interims = i == 5;
    j->sim.has_trailers = true;
    j->sim.expects_continue = i == 8;
    j->is_streamed = i % 4 == 1;
    j->has_release = j->sim.upload != SIM_NO_UPLOAD;
    j->has_callback = i % 5 != 0;
    snprintf(j->url, sizeof j->url, "http://%c.test/%u/%u", (int)('a' + j->host), i, j->sim.serial);
}

static void open_sweep(stress *s, uint64_t seed, uint32_t split_in, uint64_t fail_in) {
    describe_client(s, seed, SWEEP_JOBS);
    s->net.split_in = split_in;
    s->net.latency_us = split_in ? 500 : 0;
    s->desc.limits.connections_per_host = 2;
    s->desc.limits.block_bytes = 1024;
    s->is_tight = s->desc.disable_pooling = fail_in > 0;
    create(s);
    s->memory.fail_at = fail_in ? s->memory.requests + fail_in : 0;
    for (uint32_t i = 0; i < SWEEP_JOBS; i++) {
        draw_sweep_job(s, i);
        submit(s, &s->jobs[i]);
    }
}

/* Cut or blocked nothing is lost; an end costs at most the request that it meets, and none that may
 * begin anew. */
static uint64_t close_sweep(stress *s, const char *what) {
    uint64_t allowed = 0;
    run_all(s);
    for (int i = 0; i < SIM_FAULTS; i++) allowed += s->net.faults[i].kind >= SIM_ENDED && s->net.faults[i].is_blamed;
    if (s->failed > allowed && !s->is_tight) sim_mistake(&s->net, "more requests failed than one fault explains", (uint32_t)s->failed);
    if (s->good + s->failed + s->refused != SWEEP_JOBS) sim_mistake(&s->net, "requests are missing", (uint32_t)s->good);
    uint64_t at[2] = {s->net.faults[0].at, s->net.faults[1].at}, operations = s->net.operations;
    int kind = (int)s->net.faults[0].kind;
    if (!s->is_stuck) check_baseline(s), check_next_request(s), check_sleep(s);
    uint64_t mistakes = end(s);
    if (mistakes) printf("%s: fault %d at call %llu, and %llu\n", what, kind, (unsigned long long)at[0], (unsigned long long)at[1]);
    CHECK_INT(mistakes, 0);
    return operations;
}

static void sweep(uint32_t split_in, uint64_t stride) {
    stress s;
    open_sweep(&s, 7, split_in, 0);
    uint64_t calls = close_sweep(&s, "no fault");
    CHECK(calls > 50);
    for (uint64_t at = 1; at <= calls && !check_failed_here; at += stride)
        for (int kind = 0; kind < SIM_FAULT_KINDS; kind++) {
            open_sweep(&s, 7, split_in, 0);
            s.net.faults[0].at = at;
            s.net.faults[0].kind = (sim_fault)kind;
            close_sweep(&s, split_in ? "split sweep" : "sweep");
        }
}

static void F_each_call_is_cut_blocked_ended_reset_once(void) {
    sweep(0, 1);
}

static void F_the_same_in_small_pieces(void) {
    sweep(2, 1);
}

/* Without pools there is an allocation for everything. */
static void F_each_allocation_fails_once(void) {
    stress s;
    uint64_t at = 0, fail_at = 0;
    do {
        open_sweep(&s, 7, 3, ++at);
        fail_at = s.memory.fail_at;
        close_sweep(&s, "allocation");
    } while (s.memory.requests >= fail_at && !check_failed_here);
    CHECK(at > 50);
}

static void F_pairs_of_faults(void) {
    sim_network dice;
    memset(&dice, 0, sizeof dice);
    for (uint32_t i = 0; i < 10 * STORMS && !check_failed_here; i++) {
        stress s;
        uint64_t first = 1 + sim_below(&dice, 250);
        open_sweep(&s, i, sim_below(&dice, 4), 0);
        s.net.faults[0].at = first;
        s.net.faults[0].kind = (sim_fault)sim_below(&dice, SIM_FAULT_KINDS);
        s.net.faults[1].at = first + 1 + sim_below(&dice, 20);
        s.net.faults[1].kind = (sim_fault)sim_below(&dice, SIM_FAULT_KINDS);
        close_sweep(&s, "pair");
    }
}

/* ------------------------------------------------------------ the long run */
enum { BATCHES = 80 };

/* The same requests again and again, all at once, and nothing else. */
static void run_plain_load(stress *s) {
    s->cancel_in = s->callback_cancel_in = s->close_in = s->net.dies_in = s->net.split_in = 0;
    for (uint32_t i = 0; i < BATCHES; i++) {
        s->net.random = 1;
        s->serial = 0;
        s->left = s->slots;
        for (uint32_t k = 0; k < s->slots; k++) submit_next(s, &s->jobs[k]);
        run_all(s);
    }
}

/* What an idle client holds that has neither connections nor anything in its pools. */
static uint64_t bytes_at_rest(stress *s) {
    turbohttp_client *client = s->client;
    check_baseline(s);
    check_sleep(s);
    turbohttp_object_pool_trim(&client->request_pool);
    turbohttp_object_pool_trim(&client->link_pool);
    turbohttp_object_pool_trim(&client->inflaters);
    turbohttp_byte_pool_trim(&client->heap->blocks);
    return s->memory.live_bytes;
}

/* A load that was seen before costs no call of the allocator, whatever came in between, and a client at
 * rest holds what it held before. */
static void long_run(uint32_t requests) {
    stress s;
    describe_client(&s, 1, 64);
    s.upload_in = 10;
    s.body_bytes = 300;
    create(&s);
    run_plain_load(&s);
    uint64_t bytes = bytes_at_rest(&s);
    s.cancel_in = s.callback_cancel_in = 50;
    s.close_in = 100;
    s.net.dies_in = 200;
    s.net.split_in = 10;
    s.left = requests;
    run_all(&s);
    check_baseline(&s);
    run_plain_load(&s);
    uint64_t calls = s.memory.requests;
    run_plain_load(&s);
    CHECK_INT(s.memory.requests, calls);
    CHECK_INT(s.good + s.failed, requests + 3 * BATCHES * s.slots);
    CHECK_INT(bytes_at_rest(&s), bytes);
    if (is_loud) report(&s, 1);
    finish_storm(&s, 1, "long run");
}

static void F_a_long_run_leaves_pools_and_allocator_flat(void) {
    long_run(LONG_RUN);
}

/* ------------------------------------------------------------ */
static const check_test tests[] = {
    CHECK_TEST(F_storms_of_requests_and_faults),
    CHECK_TEST(O9_equal_seeds_behave_alike),
    CHECK_TEST(F_each_call_is_cut_blocked_ended_reset_once),
    CHECK_TEST(F_the_same_in_small_pieces),
    CHECK_TEST(F_each_allocation_fails_once),
    CHECK_TEST(F_pairs_of_faults),
    CHECK_TEST(F_a_long_run_leaves_pools_and_allocator_flat),
};

int main(int argc, char **argv) {
    uint64_t from = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    bool is_seed = argc > 2 && !strcmp(argv[1], "seed"), is_seeds = argc > 3 && !strcmp(argv[1], "seeds");
    is_loud = argc > 2 && !is_seeds;
    if (is_seed) storms(from, from + 1);
    else if (is_seeds) storms(from, strtoull(argv[3], NULL, 10));
    else if (is_loud && !strcmp(argv[1], "long")) long_run((uint32_t)from);
    else return check_main(tests, sizeof tests / sizeof tests[0], argc, argv);
    printf("%d passed, %d failed\n", check_failed_here == 0, check_failed_here != 0);
    return check_failed_here != 0;
}
