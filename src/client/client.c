/* The client: its life, and the poll that moves everything.
 * Owns all other objects of client/. Invariants: callbacks are called only from tbh_client_round;
 * `deadline_us` is never later than the earliest timer; a round does at most `limits.poll_bytes`
 * of work and waits at most once.
 * Does not know: framing, names, how a request is built. */
#include "internal.h"

/* What is left of a poll's budget below this is not worth a system call. */
#define TBH_CRUMBS_BYTES 1024u

/* Blocks of one size that are kept for a hundred streams and their responses. */
#define TBH_KEPT_BLOCKS  144u

/* ------------------------------------------------------------ defaults: the one place */
static uint32_t tbh_or(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

static turbohttp_limits tbh_limits_with_defaults(const turbohttp_limits *given) {
    turbohttp_limits l = *given;
    l.head_bytes = tbh_or(l.head_bytes, 65536);
    l.line_bytes = tbh_or(l.line_bytes, 16384);
    l.header_count = tbh_or(l.header_count, 128);
    l.interim_count = tbh_or(l.interim_count, 8);
    l.url_bytes = tbh_or(l.url_bytes, 8192);
    if (!l.body_bytes) l.body_bytes = 32u << 20;
    if (!l.stream_bytes) l.stream_bytes = UINT64_MAX;
    l.inflate_ratio = tbh_or(l.inflate_ratio, 256);
    l.requests = tbh_or(l.requests, 256);
    l.connections = tbh_or(l.connections, 64);
    l.connections_per_host = tbh_or(l.connections_per_host, 6);
    l.block_bytes = tbh_or(l.block_bytes, 16384);
    l.receive_bytes = tbh_or(l.receive_bytes, 262144);
    l.poll_bytes = tbh_or(l.poll_bytes, 65536);
    return l;
}

static turbohttp_timeouts tbh_timeouts_with_defaults(const turbohttp_timeouts *given) {
    turbohttp_timeouts t = *given;
    t.resolve_ms = tbh_or(t.resolve_ms, 5000);
    t.connect_ms = tbh_or(t.connect_ms, 10000);
    t.tls_ms = tbh_or(t.tls_ms, 10000);
    t.send_ms = tbh_or(t.send_ms, 30000);
    t.first_byte_ms = tbh_or(t.first_byte_ms, 30000);
    t.idle_ms = tbh_or(t.idle_ms, 30000);
    t.continue_ms = tbh_or(t.continue_ms, 1000);
    t.reuse_ms = tbh_or(t.reuse_ms, 30000);
    return t; /* total_ms: see tbh_request_take_timeouts */
}

/* ------------------------------------------------------------ fixed memory */
static void tbh_client_trim(turbohttp_client *client) {
    turbohttp_object_pool_trim(&client->request_pool);
    turbohttp_object_pool_trim(&client->link_pool);
    turbohttp_object_pool_trim(&client->inflaters);
#if TBH_HTTP2
    turbohttp_object_pool_trim(&client->stream_pool);
#endif
    turbohttp_byte_pool_trim(&client->heap->blocks);
}

/* What pools keep for later is worth less than what is needed now: else a client that once ran out
 * could be left with nothing but blocks of sizes that nobody asks for. */
static void *tbh_client_fixed_allocate(void *user, size_t size) {
    turbohttp_client *client = (turbohttp_client *)user;
    turbohttp_allocator arena = turbohttp_arena_allocator(&client->arena);
    void *block = arena.allocate(arena.user, size);
    if (block || !client->heap) return block;
    tbh_client_trim(client);
    return arena.allocate(arena.user, size);
}

static void tbh_client_fixed_release(void *user, void *block, size_t size) {
    turbohttp_client *client = (turbohttp_client *)user;
    turbohttp_allocator arena = turbohttp_arena_allocator(&client->arena);
    arena.release(arena.user, block, size);
}

/* ------------------------------------------------------------ creation */
static bool tbh_client_limits_are_sane(const turbohttp_limits *l) {
    bool is_power = (l->block_bytes & (l->block_bytes - 1)) == 0;
    return is_power && l->block_bytes >= 512 && l->receive_bytes >= l->block_bytes &&
           l->requests < 0x10000000u && l->connections < 0x10000000u && l->header_count < 65536;
}

static void tbh_client_choose_allocator(turbohttp_client_desc *desc, turbohttp_arena *arena) {
    if (desc->memory) {
        turbohttp_arena_init(arena, desc->memory, desc->memory_bytes);
        desc->allocator = turbohttp_arena_allocator(arena);
    }
#if TBH_SOCKETS
    if (!desc->allocator.allocate) desc->allocator = tbh_os_allocator();
#endif
}

#if TBH_SOCKETS
static turbohttp_status tbh_client_init_poller(turbohttp_client *client) {
    tbh_io *io = &client->io;
    int32_t code;
    tbh_poller_init(&io->poller, io->allocator,
                    io->transport ? TURBOHTTP_IO_POLL : client->desc.io);
    turbohttp_status status = tbh_os_wake_open(&io->wake, &code);
    if (status == TURBOHTTP_OK)
        status = tbh_poller_add(&io->poller, &io->wake_watch, io->wake.listen_end, TBH_WANT_RECEIVE,
                                NULL);
    return status;
}

static turbohttp_status tbh_client_init_sockets(turbohttp_client *client) {
    tbh_io *io = &client->io;
    turbohttp_status status = tbh_client_init_poller(client);
    if (status != TURBOHTTP_OK || io->transport) return status;
    tbh_os_birth_note(&io->birth);
    return tbh_resolver_create(&io->resolver, io->allocator, &io->poller, &io->wake, &client->desc);
}

static void tbh_client_fini_sockets(turbohttp_client *client) {
    tbh_io *io = &client->io;
    tbh_resolver_destroy(io->resolver);
    tbh_poller_remove(&io->poller, &io->wake_watch);
    tbh_os_wake_shut(&io->wake);
    tbh_poller_fini(&io->poller);
    tbh_os_birth_forget(&io->birth);
}
#endif

static turbohttp_status tbh_client_init_io(turbohttp_client *client) {
    tbh_io *io = &client->io;
    io->allocator = &client->allocator;
    io->blocks = &client->heap->blocks;
    io->block_bytes = client->limits.block_bytes;
    io->receive_bytes = client->limits.receive_bytes;
    io->transport = client->desc.transport;
    io->clock = client->desc.clock;
    io->random = client->desc.random;
#if TBH_SOCKETS
    if (!io->clock.now_us) io->clock.now_us = tbh_os_now_us;
    if (!io->random.fill) io->random.fill = tbh_os_random;
    if (!client->desc.wall_clock.unix_seconds)
        client->desc.wall_clock.unix_seconds = tbh_os_unix_seconds;
    turbohttp_status status = tbh_client_init_sockets(client);
#else
    turbohttp_status status =
        io->transport && io->clock.now_us ? TURBOHTTP_OK : TURBOHTTP_ERR_INVALID_ARGUMENT;
#endif
    if (status == TURBOHTTP_OK) io->now_us = io->clock.now_us(io->clock.user);
    return status;
}

#if TBH_INFLATE
static void tbh_client_keep_as_is(void *user, void *element) {
    (void)user;
    (void)element;
}
#endif

static turbohttp_status tbh_client_init_pools(turbohttp_client *client) {
    const turbohttp_limits *l = &client->limits;
    const turbohttp_allocator *a = &client->allocator;
    bool off = client->desc.disable_pooling, clears = client->desc.clear_on_return;
    uint32_t kept = l->connections + 16; /* blocks of a size; HTTP/2 uses more on one connection */
    if (TBH_HTTP2 && !client->desc.disable_http2 && kept < TBH_KEPT_BLOCKS) kept = TBH_KEPT_BLOCKS;
    client->heap = tbh_heap_create(a, l->receive_bytes, kept,
                                   clears ? TURBOHTTP_CLEAR_ON_RETURN : TURBOHTTP_CLEAR_NONE, off);
    if (!client->heap) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    /* Without a hook the pool zeroes what comes back: nothing crosses requests (S-06). */
    turbohttp_object_pool_init(&client->request_pool, a, sizeof(tbh_request), l->requests, NULL,
                               NULL, off);
    turbohttp_object_pool_init(&client->link_pool, a, sizeof(tbh_link), l->connections, NULL, NULL,
                               off);
#if TBH_HTTP2
    turbohttp_object_pool_init(&client->stream_pool, a, sizeof(tbh_mux_stream), l->requests, NULL,
                               NULL, off);
#endif
#if TBH_INFLATE
    /* An inflater is initialised when it is rented: zeroing 40 KiB on return would cost more. */
    turbohttp_object_pool_init(&client->inflaters, a, sizeof(turbohttp_inflate), l->connections,
                               clears ? NULL : tbh_client_keep_as_is, NULL, off);
#endif
    return tbh_completions_init(&client->completions, a, l->requests);
}

static turbohttp_status tbh_client_init(turbohttp_client *client) {
    turbohttp_status status = tbh_client_init_pools(client);
    if (status == TURBOHTTP_OK) status = tbh_client_init_io(client);
    client->deadline_us = UINT64_MAX;
    return status;
}

TURBOHTTP_API turbohttp_status turbohttp_client_create(turbohttp_client **out,
                                                       const turbohttp_client_desc *given) {
    turbohttp_client_desc desc;
    turbohttp_arena arena;
    *out = NULL;
    memset(&desc, 0, sizeof desc);
    memset(&arena, 0, sizeof arena);
    if (given) desc = *given;
    turbohttp_limits limits = tbh_limits_with_defaults(&desc.limits);
    tbh_client_choose_allocator(&desc, &arena);
    if (!desc.allocator.allocate || !desc.allocator.release || !tbh_client_limits_are_sane(&limits))
        return TURBOHTTP_ERR_INVALID_ARGUMENT;
    if (!TBH_LENIENT && desc.lenient) return TURBOHTTP_ERR_UNSUPPORTED;
    turbohttp_client *client = (turbohttp_client *)tbh_allocate(&desc.allocator, sizeof *client);
    if (!client) return TURBOHTTP_ERR_OUT_OF_MEMORY;
    memset(client, 0, sizeof *client);
#if TBH_SOCKETS
    client->io.wake.listen_end = client->io.wake.signal_end = TBH_NO_SOCKET; /* 0 is stdin */
#endif
    client->allocator = desc.allocator;
    if (desc.memory) { /* the arena moves into the client, and its allocator with it */
        client->arena = arena;
        client->allocator.user = client;
        client->allocator.allocate = tbh_client_fixed_allocate;
        client->allocator.release = tbh_client_fixed_release;
    }
    client->desc = desc;
    client->limits = limits;
    client->timeouts = tbh_timeouts_with_defaults(&desc.timeouts);
    client->disable_keep_alive = desc.disable_keep_alive;
    turbohttp_status status = tbh_client_init(client);
    if (status == TURBOHTTP_OK) *out = client;
    else turbohttp_client_destroy(client);
    return status;
}

/* ------------------------------------------------------------ shutdown */
/* `why` may be NULL: the status says it. */
static void tbh_client_end_all(turbohttp_client *client, turbohttp_status status, const char *why) {
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_at(&client->completions, i);
        if (!request || request->state == TBH_REQUEST_DONE) continue;
        tbh_error_set(&request->response.error, status, request->phase);
        if (why) tbh_error_text(&request->response.error, why);
        tbh_request_complete_recorded(request);
    }
    while (client->links) tbh_link_destroy(client->links);
}

static void tbh_client_tear_down(turbohttp_client *client) {
    client->is_shut = true;
    client->must_tear_down = false;
    tbh_client_end_all(client, TURBOHTTP_ERR_SHUTDOWN, NULL);
}

#if TBH_SOCKETS
/* The sockets, the set of them and the wake-up are shared with the parent, the helper threads are
 * not here: all are given up quietly, and made anew. */
static void tbh_client_leave_parent(turbohttp_client *client) {
    tbh_io *io = &client->io;
    client->is_polling = true; /* releasing a body calls out: the client must not go meanwhile */
    tbh_poller_disown(&io->poller);
    tbh_resolver_disown(io->resolver);
    tbh_client_end_all(client, TURBOHTTP_ERR_CANCELLED,
                       "the process was forked: this request goes on in the parent");
    tbh_poller_remove(&io->poller, &io->wake_watch);
    tbh_os_wake_shut(&io->wake);
    tbh_poller_fini(&io->poller);
    if (tbh_client_init_poller(client) != TURBOHTTP_OK) client->is_shut = true;
    tbh_resolver_disown(io->resolver); /* with the new wake-up */
    tbh_os_birth_note(&io->birth);
    client->is_polling = false;
}
#endif

TBH_FN void tbh_client_check_birth(turbohttp_client *client) {
#if TBH_SOCKETS
    if (!client->is_polling && tbh_os_birth_is_elsewhere(&client->io.birth))
        tbh_client_leave_parent(client);
#else
    (void)client;
#endif
}

/* Inside a callback the objects that called are still in use (S-80): the round tears them down. */
TURBOHTTP_API void turbohttp_client_shutdown(turbohttp_client *client) {
    if (!client || client->is_shut) return;
    tbh_client_check_birth(client);
    client->is_shut = client->must_tear_down = true;
    if (client->is_polling) return;
    client->is_polling = true; /* releasing a body calls out: the client must not go meanwhile */
    tbh_client_tear_down(client);
    client->is_polling = false;
    if (client->is_doomed) turbohttp_client_destroy(client);
}

static void tbh_client_drop_requests(turbohttp_client *client) {
    void *request;
    while ((request = tbh_completion_first_done(&client->completions)) != NULL) {
        turbohttp_response response;
        turbohttp_take(client, ((tbh_request *)request)->handle, &response);
        turbohttp_response_free(&response);
    }
}

static void tbh_client_free(turbohttp_client *client) {
    turbohttp_allocator allocator = client->allocator;
    while (client->origins) tbh_origin_drop(client, client->origins); /* the dormant ones */
    tbh_secure_free_all(client);
#if TBH_SOCKETS
    tbh_client_fini_sockets(client);
#endif
    turbohttp_object_pool_destroy(&client->request_pool);
    turbohttp_object_pool_destroy(&client->link_pool);
    turbohttp_object_pool_destroy(&client->inflaters);
#if TBH_HTTP2
    turbohttp_object_pool_destroy(&client->stream_pool);
#endif
    tbh_completions_fini(&client->completions, &client->allocator);
    tbh_heap_drop(client->heap);
    /* In fixed-memory mode the block belongs to the user: there is nothing to give back. */
    if (!client->desc.memory) tbh_release(&allocator, client, sizeof *client);
}

TURBOHTTP_API void turbohttp_client_destroy(turbohttp_client *client) {
    if (!client) return;
    if (client->is_polling) { /* from a callback: the round finishes it */
        client->is_doomed = true;
        return;
    }
    tbh_client_check_birth(client);
    client->is_polling = client->is_doomed = true; /* the callbacks below may ask for it again */
    if (!client->is_shut || client->must_tear_down) tbh_client_tear_down(client);
    tbh_request_call_done(client);
    tbh_client_drop_requests(client);
    tbh_client_free(client);
}

/* ------------------------------------------------------------ timers and cancels */
TBH_FN void tbh_client_read_clock(turbohttp_client *client) {
    uint64_t now = client->io.clock.now_us(client->io.clock.user);
    if (now > client->io.now_us) client->io.now_us = now; /* never back (RELIABILITY 3.5) */
}

TBH_FN void tbh_client_spend(turbohttp_client *client, uint64_t n) {
    bool is_worth_it = client->budget > TBH_CRUMBS_BYTES && n < client->budget - TBH_CRUMBS_BYTES;
    client->budget = is_worth_it ? client->budget - (size_t)n : 0;
}

TBH_FN void tbh_client_arm(turbohttp_client *client, uint64_t deadline_us) {
    if (deadline_us < client->deadline_us) client->deadline_us = deadline_us;
}

static void tbh_client_expire_requests(turbohttp_client *client, uint64_t now) {
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_at(&client->completions, i);
        if (!request || request->state == TBH_REQUEST_DONE) continue;
        if (now >= tbh_request_deadline(request)) tbh_request_time_out(request);
        if (request->state != TBH_REQUEST_DONE)
            tbh_client_arm(client, tbh_request_deadline(request));
    }
}

static void tbh_client_expire_links(turbohttp_client *client, uint64_t now) {
    tbh_link *next;
    for (tbh_link *link = client->links; link; link = next) {
        next = link->next;
        bool is_idle = link->state == TBH_LINK_IDLE;
        if (is_idle && now >= link->idle_until_us) {
            tbh_link_destroy(link);
            continue;
        }
        if (is_idle) tbh_client_arm(client, link->idle_until_us);
        if (link->protocol) link->protocol->tick(link);
    }
}

static void tbh_client_expire(turbohttp_client *client) {
    uint64_t now = client->io.now_us;
    if (now < client->deadline_us) return;
    client->deadline_us = UINT64_MAX;
    tbh_client_expire_requests(client, now);
    tbh_client_expire_links(client, now);
}

static void tbh_client_take_cancels(turbohttp_client *client) {
    if (!tbh_completions_take_cancelled(&client->completions)) return;
    for (uint32_t i = 0; i < client->completions.capacity; i++) {
        tbh_request *request = (tbh_request *)tbh_completion_cancelled_at(&client->completions, i);
        if (request) tbh_request_complete(request, TURBOHTTP_ERR_CANCELLED);
    }
}

/* ------------------------------------------------------------ one round */
static tbh_link *tbh_client_opening_from(tbh_link *link) {
    while (link && link->state != TBH_LINK_OPENING) link = link->next;
    return link;
}

/* Idle links may vanish meanwhile, to make room; those that open vanish only in their own turn. */
static void tbh_client_step_opening(turbohttp_client *client) {
    if (client->opening_count == 0) return;
    tbh_link *link = tbh_client_opening_from(client->links);
    while (link) {
        tbh_link *next = tbh_client_opening_from(link->next);
        tbh_link_step_opening(link);
        link = next;
    }
}

/* Callbacks are made between two links, never while one is in hand. What they submit is sent at
 * once, so that the server works while we go on: its links come last in the list, and have nothing
 * to receive yet. */
static void tbh_client_after_link(turbohttp_client *client) {
    if (!client->done_first || client->must_tear_down) return;
    tbh_request_call_done(client);
    tbh_origins_dispatch(client);
}

/* Each dirty link gets its turn, within the budget; the bound is for links that are marked again. */
static void tbh_client_pump(turbohttp_client *client, bool may_block) {
    uint32_t turns = 2 * client->limits.connections + 16;
    while (client->dirty_first && client->budget > 0 && turns-- > 0) {
        tbh_link *link = client->dirty_first;
        client->dirty_first = link->dirty_next;
        if (!client->dirty_first) client->dirty_last = NULL;
        link->is_dirty = false;
        if (link->state == TBH_LINK_BUSY) link->protocol->pump(link, may_block);
        may_block = false;
        tbh_client_after_link(client);
    }
}

static uint64_t tbh_client_next_deadline(const turbohttp_client *client) {
    uint64_t due = client->deadline_us;
    for (const tbh_link *link = client->links; link && client->opening_count; link = link->next) {
        if (link->state != TBH_LINK_OPENING) continue;
        uint64_t opening = tbh_stream_deadline(&link->stream);
        if (opening < due) due = opening;
    }
    return due;
}

static bool tbh_client_has_work(const turbohttp_client *client) {
    return client->dirty_first != NULL || client->done_first != NULL ||
           tbh_atomic_load32(&client->completions.any_cancelled) != 0;
}

static uint32_t tbh_client_wait_ms(const turbohttp_client *client, uint32_t timeout_ms) {
    uint64_t due = tbh_client_next_deadline(client), now = client->io.now_us;
    if (tbh_client_has_work(client) || due <= now) return 0;
    uint64_t left_ms = due == UINT64_MAX ? UINT64_MAX : (due - now + 999) / 1000;
    return left_ms < timeout_ms ? (uint32_t)left_ms : timeout_ms;
}

#if TBH_SOCKETS
static void tbh_client_note_ready(turbohttp_client *client) {
    uint32_t cursor = 0;
    tbh_watch *watch;
    while ((watch = tbh_poller_next(&client->io.poller, &cursor)) != NULL) {
        tbh_link *link = (tbh_link *)watch->owner;
        if (watch == &client->io.wake_watch) {
            tbh_os_wake_drain(&client->io.wake);
            watch->ready = 0;
        } else if (link && link->state == TBH_LINK_BUSY && watch == &link->stream.watch) {
            uint8_t ready = tbh_stream_take_ready(&link->stream);
            if (ready & TBH_WANT_RECEIVE) link->may_receive = true;
            if (ready & TBH_WANT_SEND) link->is_send_blocked = false;
            tbh_link_mark_dirty(link);
        } else if (link && link->state == TBH_LINK_IDLE) {
            link->protocol->on_idle_ready(link);
        } /* else: a dialer's or the resolver's; the next step looks at it */
    }
}
#endif

static void tbh_client_ask(tbh_link *link) {
    link->may_receive = true;
    link->is_send_blocked = false;
    tbh_link_mark_dirty(link);
}

/* A transport of the user's has no readiness: every link is asked in every round. */
static void tbh_client_ask_all(turbohttp_client *client) {
    tbh_link *next;
    for (tbh_link *link = client->links; link; link = next) {
        next = link->next;
        if (link->state == TBH_LINK_IDLE) link->protocol->on_idle_ready(link);
        else if (link->state == TBH_LINK_BUSY) tbh_client_ask(link);
    }
}

static void tbh_client_wait(turbohttp_client *client, uint32_t timeout_ms) {
    const turbohttp_transport *transport = client->io.transport;
    uint32_t wait_ms = timeout_ms ? tbh_client_wait_ms(client, timeout_ms) : 0;
    if (transport) {
        if (transport->io_wait && wait_ms) transport->io_wait(transport->user, wait_ms);
        tbh_client_ask_all(client);
        return;
    }
#if TBH_SOCKETS
    tbh_poller_wait(&client->io.poller, wait_ms);
    tbh_client_note_ready(client);
#endif
}

/* With exactly one exchange whose answer is awaited, a receive that blocks is the wait: one system
 * call less per request. */
static tbh_link *tbh_client_only_link(turbohttp_client *client) {
    uint64_t margin_us = client->io.now_us + 2 * 1000 * 50;
    if (client->io.transport || client->completions.pending != 1 || client->opening_count ||
        tbh_client_has_work(client) || client->deadline_us < margin_us)
        return NULL;
    for (tbh_link *link = client->links; link; link = link->next)
        if (link->state == TBH_LINK_BUSY) return link->protocol->only_waits(link) ? link : NULL;
    return NULL;
}

static void tbh_client_start_things(turbohttp_client *client, bool may_block) {
    tbh_client_take_cancels(client);
    tbh_client_expire(client);
    tbh_client_step_opening(client);
    tbh_origins_dispatch(client);
    tbh_client_pump(client, may_block);
}

/* A callback of this round may have: before the round returns it takes effect. */
static void tbh_client_shut_if_asked(turbohttp_client *client) {
    if (!client->must_tear_down) return;
    tbh_client_tear_down(client);
    tbh_request_call_done(client);
}

TBH_FN turbohttp_status tbh_client_round(turbohttp_client *client, uint32_t timeout_ms,
                                         bool may_block) {
    if (client->is_polling) return TURBOHTTP_ERR_STATE;
    tbh_client_check_birth(client);
    client->is_polling = true;
    client->budget = may_block ? SIZE_MAX : client->limits.poll_bytes;
    client->io.hard_steps = may_block ? UINT32_MAX : 1;
    uint32_t done_before = client->completions.done;
    tbh_client_read_clock(client);
    tbh_client_start_things(client, false);
    bool is_done =
        client->completions.done != done_before; /* somebody waits for that, not for more */
    tbh_link *only = may_block && !is_done ? tbh_client_only_link(client) : NULL;
    if (only) {
        tbh_link_mark_dirty(only);
        tbh_client_pump(client, true);
    } else if (!(tbh_client_has_work(client) || is_done) || !may_block) {
        tbh_client_wait(client, is_done ? 0 : timeout_ms);
        tbh_client_read_clock(client);
        tbh_client_start_things(client, false);
    }
    tbh_request_call_done(client);
    tbh_client_shut_if_asked(client);
    tbh_origins_dispatch(client); /* what callbacks submitted leaves now, not one frame later */
    tbh_client_pump(client, false);
    tbh_client_shut_if_asked(client);
    /* What failed just now has its callback in the next poll: until then nobody may stop polling. */
    bool is_busy = client->completions.pending > 0 || client->done_first;
    bool is_doomed = client->is_doomed;
    client->is_polling = false;
    if (is_doomed) {
        turbohttp_client_destroy(client);
        return may_block ? TURBOHTTP_ERR_SHUTDOWN : TURBOHTTP_OK;
    }
    return is_busy ? TURBOHTTP_PENDING : TURBOHTTP_OK;
}

TURBOHTTP_API turbohttp_status turbohttp_poll(turbohttp_client *client, uint32_t timeout_ms) {
    return tbh_client_round(client, timeout_ms, false);
}

/* ------------------------------------------------------------ questions */
TURBOHTTP_API void turbohttp_wake(turbohttp_client *client) {
#if TBH_SOCKETS
    tbh_os_wake_signal(&client->io.wake);
#else
    (void)client;
#endif
}

/* Is there a request that the next poll may find a connection for? */
static bool tbh_client_may_start(const turbohttp_client *client) {
    const tbh_origin *origin = client->may_dispatch ? client->origins : NULL;
    while (origin && !origin->waiting_first) origin = origin->next;
    return origin != NULL;
}

TURBOHTTP_API size_t turbohttp_watches(turbohttp_client *client, turbohttp_watch *watches,
                                       size_t room, uint32_t *timeout_ms) {
    size_t count = 0;
    tbh_client_check_birth(client);
    tbh_client_read_clock(client);
    if (timeout_ms) *timeout_ms = tbh_client_wait_ms(client, TURBOHTTP_NO_TIMEOUT);
    if (timeout_ms && tbh_client_may_start(client)) *timeout_ms = 0;
#if TBH_SOCKETS
    for (; count < client->io.poller.count; count++) {
        const tbh_watch *watch = client->io.poller.watches[count];
        if (count >= room) continue;
        watches[count].descriptor = watch->descriptor;
        watches[count].wants_receive = (watch->wants & TBH_WANT_RECEIVE) != 0;
        watches[count].wants_send = (watch->wants & TBH_WANT_SEND) != 0;
    }
#else
    (void)watches, (void)room;
#endif
    return count;
}

TURBOHTTP_API void turbohttp_client_stats_get(turbohttp_client *client,
                                              turbohttp_client_stats *stats) {
    memset(stats, 0, sizeof *stats);
    stats->requests_active = client->completions.pending;
    stats->requests_done = client->completions.done;
    stats->connections_open = client->link_count;
    stats->connections_idle = client->idle_count;
    stats->connects = client->connects;
    stats->replays = client->replays;
    stats->blocks = turbohttp_byte_pool_stats(&client->heap->blocks);
#if TBH_SOCKETS
    if (!client->io.transport) stats->io = client->io.poller.backend->io;
#endif
    for (const tbh_origin *origin = client->origins; origin; origin = origin->next)
        for (const tbh_request *r = origin->waiting_first; r; r = r->next)
            stats->requests_waiting++;
}
