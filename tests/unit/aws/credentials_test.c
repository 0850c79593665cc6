/* Where credentials come from, in which order, and how they are kept fresh. Every source asks a
 * stub; files are the test's own. */
#include "tests/unit/aws/stub.h"

#include "aws/client.h"
#include "aws/credentials_sources.h"
#include "aws/sqs.h"

#include <stdlib.h>
#include <unistd.h>

enum { VARIABLES_MAX = 12, LONG_MS = 20000 };

#define JSON_OF(id, secret, token, expires) \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"" secret \
    "\",\"Token\":\"" token "\",\"Expiration\":\"" expires "\"}"
#define FAR "2099-01-01T00:00:00Z"

struct world {
    struct stub *stub; /* who gives credentials */
    struct http_client *http;
    struct arena arena;
    struct aws_provider *provider;
    struct error err;
    char folder[64];
    const char *variables[VARIABLES_MAX];
    size_t variable_count;
};

static void set(struct world *world, const char *name, const char *value)
{
    assert_true(world->variable_count + 1 < VARIABLES_MAX);
    world->variables[world->variable_count++] = arena_printf(&world->arena, "%s=%s", name, value);
    stub_environment = world->variables;
}

static const char *file_of(struct world *world, const char *name, const char *text)
{
    const char *path = arena_printf(&world->arena, "%s/%s", world->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static int set_up(void **state)
{
    struct world *world = xcalloc(1, sizeof *world);
    stub_clock_ahead_ms = 0;
    world->stub = stub_new();
    world->http = http_client_new(&(struct http_client_options){.thread_name = "test"});
    snprintf(world->folder, sizeof world->folder, "/tmp/omni-aws-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    set(world, "HOME", world->folder);
    set(world, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const files[] = {"token", "config", "credentials"};
    struct world *world = *state;
    char path[128];
    aws_provider_free(world->provider);
    http_client_free(world->http);
    stub_free(world->stub);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", world->folder, files[i]);
        unlink(path);
    }
    rmdir(world->folder);
    arena_clear(&world->arena);
    xfree(world);
    return 0;
}

static enum code open_provider(struct world *world)
{
    const struct aws_provider_options options = {.environment = stub_getenv,
                                                 .clock = &STUB_CLOCK,
                                                 .http = world->http,
                                                 .jitter_ms = 1,
                                                 .retry_ms = 10};
    return aws_provider_open(&options, &world->provider, &world->err);
}

static void assert_has(struct world *world, const char *source, const char *id, const char *token)
{
    assert_string_equal(aws_provider_source(world->provider), source);
    const struct aws_credentials *now = aws_provider_get(world->provider);
    assert_string_equal(now->id.ptr, id);
    assert_string_equal(now->token.ptr, token);
    aws_credentials_release(now);
}

static void assert_refused(struct world *world, const char *text)
{
    assert_int_not_equal(open_provider(world), CODE_OK);
    if (!strstr(world->err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", world->err.text, text);
    world->provider = NULL;
}

/* --- each source --- */

/* Rule 37. */
static void the_environment_comes_first(void **state)
{
    struct world *world = *state;
    set(world, "AWS_ACCESS_KEY_ID", "AKID");
    set(world, "AWS_SECRET_ACCESS_KEY", "secret");
    set(world, "AWS_SESSION_TOKEN", "token");
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "environment", "AKID", "token");
    assert_int_equal(stub_count(world->stub), 0);
}

static void half_of_a_key_is_refused(void **state)
{
    struct world *world = *state;
    set(world, "AWS_ACCESS_KEY_ID", "AKID");
    assert_refused(world, "AWS credentials: environment: AWS_ACCESS_KEY_ID and "
                          "AWS_SECRET_ACCESS_KEY belong together");
}

/* Rule 37. */
static void a_profile_is_read_from_both_files(void **state)
{
    struct world *world = *state;
    set(world, "AWS_PROFILE", "dev");
    set(world, "AWS_CONFIG_FILE",
        file_of(
            world, "config",
            "[default]\naws_access_key_id=WRONG\n[profile dev]\n# a comment\n"
            "region = eu-west-1\ns3 =\n  aws_access_key_id = NESTED\naws_session_token = t0\n"));
    set(world, "AWS_SHARED_CREDENTIALS_FILE",
        file_of(world, "credentials",
                "[ other ]\naws_access_key_id=WRONG\r\n[dev]\r\naws_access_key_id = AKDEV\r\n"
                "aws_secret_access_key=a=b+c/\r\n"));
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "profile", "AKDEV", "t0");
    const struct aws_credentials *now = aws_provider_get(world->provider);
    assert_string_equal(now->secret.ptr, "a=b+c/");
    aws_credentials_release(now);
}

static void a_profile_that_cannot_be_used_is_an_error(void **state)
{
    struct world *world = *state;
    set(world, "AWS_PROFILE", "sso");
    set(world, "AWS_CONFIG_FILE",
        file_of(world, "config", "[profile sso]\nsso_session = x\n[profile empty]\n"));
    assert_refused(world, "profile \"sso\" uses sso_session, which is not supported");
    world->variables[2] = "AWS_PROFILE=empty";
    assert_refused(world, "profile \"empty\" has no keys");
    world->variables[2] = "AWS_PROFILE=none";
    assert_refused(world, "there is no profile \"none\"");
}

/* Rule 37. */
static void a_web_identity_is_exchanged_at_sts(void **state)
{
    static const char answer[] =
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAWEB</AccessKeyId>"
        "<SecretAccessKey>s</SecretAccessKey><SessionToken>web&amp;token</SessionToken>"
        "<Expiration>" FAR "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>";
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {200, answer, 0, 0});
    set(world, "AWS_WEB_IDENTITY_TOKEN_FILE", file_of(world, "token", "a.jwt/1\n"));
    set(world, "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/omni");
    set(world, "AWS_ENDPOINT_URL_STS", world->stub->endpoint);
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "web identity", "ASIAWEB", "web&token");
    assert_string_equal(stub_seen(world->stub)[0].method, "POST");
    assert_string_equal(stub_seen(world->stub)[0].target, "/"); /* no secret in an address */
    assert_string_equal(stub_seen(world->stub)[0].body,
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws"
                        "%3Aiam%3A%3A123456789012%3Arole%2Fomni&RoleSessionName=omnidata&"
                        "WebIdentityToken=a.jwt%2F1");
    assert_string_equal(stub_seen(world->stub)[0].authorization, "");
}

/* Rule 37. */
static void a_container_is_asked_with_its_token(void **state)
{
    struct world *world = *state;
    STUB_SCRIPT(world->stub, {200, JSON_OF("ASIAPOD", "s", "pod", FAR), 0, 0});
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        arena_printf(&world->arena, "%s/v1/credentials", world->stub->endpoint));
    set(world, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file_of(world, "token", "bearer x\n"));
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "container", "ASIAPOD", "pod");
    assert_string_equal(stub_seen(world->stub)[0].target, "/v1/credentials");
    assert_string_equal(stub_seen(world->stub)[0].authorization, "bearer x");
}

/* Rule 37. */
static void the_instance_is_asked_last_by_version_2(void **state)
{
    struct world *world = *state;
    world->variables[1] =
        arena_printf(&world->arena, "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s/", world->stub->endpoint);
    stub_note_header(world->stub, "X-aws-ec2-metadata-token");
    STUB_SCRIPT(world->stub, {200, "SESSION", 0, 0}, {200, "my-role\nother", 0, 0},
                {200, JSON_OF("ASIAEC2", "s", "ec2", FAR), 0, 0});
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "instance metadata", "ASIAEC2", "ec2");
    assert_string_equal(stub_seen(world->stub)[0].method, "PUT");
    assert_string_equal(stub_seen(world->stub)[0].target, "/latest/api/token");
    assert_string_equal(stub_seen(world->stub)[2].target,
                        "/latest/meta-data/iam/security-credentials/my-role");
    assert_string_equal(stub_seen(world->stub)[2].extra, "SESSION");
}

static void nothing_anywhere_is_said_so(void **state)
{
    struct world *world = *state;
    assert_refused(world, "no AWS credentials: not in the environment");
    set(world, "AWS_EC2_METADATA_DISABLED", "true");
    assert_refused(world, "no AWS credentials: not in the environment");
    assert_int_equal(world->err.code, CODE_FAILED_PRECONDITION);
}

static void a_bad_moment_at_the_start_is_outlived(void **state)
{
    struct world *world = *state;
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    STUB_SCRIPT(world->stub, {503, "", 0, 0}, {500, "", 0, 0},
                {200, JSON_OF("A", "s", "t", FAR), 0, 0});
    assert_int_equal(open_provider(world), CODE_OK);
    assert_has(world, "container", "A", "t");
    assert_int_equal(stub_count(world->stub), 3);
}

/* A source that is configured and fails must not give way to the next one's rights. */
static void garbage_is_an_error_that_names_its_source(void **state)
{
    static const struct {
        struct stub_step step;
        const char *says;
    } cases[] = {
        {{500, "", 0, 0}, "container: answered 500"},
        {{403, "no", 0, 0}, "container: answered 403"},
        {{302, "", "Location", "http://127.0.0.1:1/"}, "container: answered 302"},
        {{200, "", 0, 0}, "container: the answer is no JSON"},
        {{200, "{", 0, 0}, "container: the answer is no JSON"},
        {{200, "{}", 0, 0}, "container: the answer has no AccessKeyId"},
        {{200, "{\"AccessKeyId\":1,\"SecretAccessKey\":\"x\"}", 0, 0}, "has no AccessKeyId"},
        {{200, "{\"Code\":\"Failed\"}", 0, 0}, "container: the answer says Failed"},
        {{200, JSON_OF("a", "b", "c", "tomorrow"), 0, 0}, "Expiration is no time"},
    };
    struct world *world = *state;
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stub_script(world->stub, &cases[i].step, 1);
        assert_refused(world, cases[i].says);
    }
}

/* Rule 37. */
static void only_known_agents_are_asked(void **state)
{
    static const struct {
        const char *uri;
        bool allowed;
    } cases[] = {
        {"https://example.org/x", true},
        {"http://127.0.0.1/x", true},
        {"http://127.1.2.3:80", true},
        {"http://localhost:8080/x", true},
        {"http://[::1]/x", true},
        {"http://169.254.170.2/v2", true},
        {"http://169.254.170.23/v1/credentials", true},
        {"http://[fd00:ec2::23]:80/x", true},
        {"http://[fd00:0ec2:0:0::0023]/x", true},
        {"http://169.254.170.2.example.org/", false},
        {"http://169.254.170.3/", false},
        {"http://169.254.169.254/", false},
        {"http://127.0.0.1@example.org/", false},
        {"http://127.0.0.1\\@example.org/", false},
        {"http://example.org#@127.0.0.1/", false},
        {"http://example.org/127.0.0.1", false},
        {"http://[::ffff:8.8.8.8]/", false},
        {"http://[::1", false},
        {"http://[fd00:ec2::24]/", false},
        {"http://2130706433/", false},
        {"http://0x7f.1/", false},
        {"http:///x", false},
        {"ftp://127.0.0.1/", false},
        {"", false},
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (credentials_uri_allowed(str_of(cases[i].uri)) != cases[i].allowed)
            fail_msg("%s", cases[i].uri);
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/");
    assert_refused(world,
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI: only https, loopback and the agents'");
}

/* --- keeping them fresh --- */

/* Rule 37. */
static void renewal_comes_five_minutes_early(void **state)
{
    static const int64_t m = 60000;
    static const struct {
        int64_t left, jitter, delay;
    } cases[] = {{60 * m, 0, 55 * m}, {60 * m, 1 * m, 54 * m}, {360 * m, 30000, 355 * m - 30000},
                 {8 * m, 0, 4 * m},   {2 * m, 60000, 1 * m},   {5001, 0, 2501}};
    struct aws_renewals renewals = {.retry_ms = 5000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(aws_renewal_delay_ms(&renewals, true, cases[i].left, cases[i].jitter),
                         cases[i].delay);
}

/* Rule 38. */
static void renewals_in_vain_come_slower_and_slower(void **state)
{
    enum { HOUR_MS = 3600000, DICE_MS = 45000 };
    static const int64_t pauses[] = {5000, 10000, 20000, 40000, 60000, 60000, 60000};
    static const struct {
        bool renewed;
        int64_t left;
    } vain[] = {{true, 5000}, {true, 0}, {true, -HOUR_MS}, {false, HOUR_MS}, {false, INT64_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof vain / sizeof *vain; i++) {
        struct aws_renewals renewals = {.retry_ms = 5000}, thrown = renewals;
        for (size_t n = 0; n < sizeof pauses / sizeof *pauses; n++) {
            int64_t whole = aws_renewal_delay_ms(&renewals, vain[i].renewed, vain[i].left, 0);
            int64_t less = aws_renewal_delay_ms(&thrown, vain[i].renewed, vain[i].left, DICE_MS);
            assert_int_equal(whole, pauses[n]);
            assert_true(less < whole && less >= whole / 2);
        }
        assert_int_equal(aws_renewal_delay_ms(&renewals, true, HOUR_MS, 0), HOUR_MS - 300000);
        assert_int_equal(aws_renewal_delay_ms(&renewals, vain[i].renewed, vain[i].left, 0), 5000);
    }
}

struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int count, failed;
};

static void on_renewed(void *argument, const struct error *err)
{
    struct told *told = argument;
    pthread_mutex_lock(&told->lock);
    told->count++;
    told->failed += err != NULL;
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static void wait_told(struct told *told, int count)
{
    pthread_mutex_lock(&told->lock);
    while (told->count < count)
        pthread_cond_wait(&told->changed, &told->lock);
    pthread_mutex_unlock(&told->lock);
}

/* Rule 37. */
static void what_ended_is_renewed_once_for_all_who_ask(void **state)
{
    struct world *world = *state;
    struct told told = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    STUB_SCRIPT(world->stub, {200, JSON_OF("A1", "s", "t1", FAR), 0, 0},
                {200, JSON_OF("A2", "s", "t2", FAR), 0, 0}, {500, "", 0, 0},
                {200, JSON_OF("A3", "s", "t3", FAR), 0, 0});
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    set(world, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file_of(world, "token", "one"));
    assert_int_equal(open_provider(world), CODE_OK);
    file_of(world, "token", "two"); /* it is read anew */
    for (int i = 0; i < 20; i++)
        assert_true(aws_provider_renew(world->provider, 1, on_renewed, &told));
    wait_told(&told, 20);
    assert_int_equal(told.failed, 0);
    assert_int_equal(stub_count(world->stub), 2);
    assert_string_equal(stub_seen(world->stub)[1].authorization, "two");
    assert_has(world, "container", "A2", "t2");
    /* One that fails leaves what is there; the next one is tried. */
    assert_true(aws_provider_renew(world->provider, 2, on_renewed, &told));
    wait_told(&told, 21);
    assert_int_equal(told.failed, 1);
    assert_has(world, "container", "A2", "t2");
    assert_true(aws_provider_renew(world->provider, 2, on_renewed, &told));
    wait_told(&told, 22);
    assert_int_equal(told.failed, 1);
    assert_has(world, "container", "A3", "t3");
    aws_provider_stop(world->provider);
    assert_false(aws_provider_renew(world->provider, 3, on_renewed, &told));
}

/* By our clock they end in two seconds: the thread renews by itself, nobody asks. */
static void the_thread_renews_by_itself(void **state)
{
    struct world *world = *state;
    int64_t far_s = 4070908800; /* FAR */
    stub_clock_ahead_ms = (far_s - 2) * 1000 - clock_wall_ms(clock_real());
    STUB_SCRIPT(world->stub, {200, JSON_OF("A1", "s", "t1", FAR), 0, 0},
                {200, JSON_OF("A2", "s", "t2", "2199-01-01T00:00:00Z"), 0, 0});
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    assert_int_equal(open_provider(world), CODE_OK);
    for (;;) {
        const struct aws_credentials *now = aws_provider_get(world->provider);
        bool renewed = now->generation == 2;
        aws_credentials_release(now);
        if (renewed)
            break;
        usleep(5000);
    }
    assert_has(world, "container", "A2", "t2");
}

/* --- a call whose credentials have ended --- */

/* Rule 37. */
static void an_expired_token_is_renewed_and_the_call_sent_again(void **state)
{
    static const char expired[] = "{\"__type\":\"x#ExpiredTokenException\"}";
    struct world *world = *state;
    struct stub *service = stub_new();
    struct aws *aws;
    struct aws_location location;
    struct aws_response response;
    char text[128];
    STUB_SCRIPT(world->stub, {200, JSON_OF("A1", "s", "t1", FAR), 0, 0},
                {200, JSON_OF("A2", "s", "t2", FAR), 0, 0}, {500, "", 0, 0});
    STUB_SCRIPT(service, {403, expired, 0, 0}, {200, "{}", 0, 0}, {403, expired, 0, 0});
    set(world, "AWS_CONTAINER_CREDENTIALS_FULL_URI", world->stub->endpoint);
    snprintf(text, sizeof text, "sqs://q?region=r&endpoint=%s", service->endpoint);
    assert_int_equal(aws_open(&(struct aws_options){.environment = stub_getenv}, &aws, &world->err),
                     CODE_OK);
    assert_int_equal(aws_location_read(str_of(text), "sqs", stub_getenv, NULL, 0, &world->arena,
                                       &location, &world->err),
                     CODE_OK);
    struct aws_client *client = aws_client_new(&(struct aws_client_options){
        .aws = aws, .service = &SQS_SERVICE, .location = &location, .backoff_ms = 1});
    const struct aws_request request = {.method = STR("POST"), .deadline_ms = LONG_MS};
    assert_int_equal(aws_call(client, &request, &world->arena, &response, &world->err), CODE_OK);
    assert_string_equal(stub_seen(service)[0].token, "t1");
    assert_string_equal(stub_seen(service)[1].token, "t2");
    /* They end again and cannot be renewed. */
    assert_int_equal(aws_call(client, &request, &world->arena, &response, &world->err),
                     CODE_UNAVAILABLE);
    assert_string_equal(world->err.text,
                        "sqs: the credentials have expired: container: answered 500");
    aws_client_free(client);
    aws_free(aws);
    stub_free(service);
}

/* Every request of the longest way (instance metadata, then a call) fails once in every way: it
 * ends with an answer or an error that says something, and nothing leaks or hangs. */
static void any_request_may_fail(void **state)
{
    static const struct stub_step good[] = {{200, "SESSION", 0, 0},
                                            {200, "role", 0, 0},
                                            {200, JSON_OF("A", "s", "t", FAR), 0, 0},
                                            {200, "{\"QueueUrl\":\"u\"}", 0, 0},
                                            {200, "{\"Attributes\":{}}", 0, 0}};
    static const struct stub_step bad[] = {{500, "", 0, 0},
                                           {403, "<html>", 0, 0},
                                           {200, "", 0, 0},
                                           {200, "\xFF{[", 0, 0},
                                           {400, "{\"__type\":\"ExpiredToken\"}", 0, 0},
                                           {STUB_HOLD, 0, 0, 0}};
    enum { STEPS = sizeof good / sizeof *good, KINDS = sizeof bad / sizeof *bad, HELD_MS = 1000 };
    struct world *world = *state;
    world->variables[1] =
        arena_printf(&world->arena, "AWS_EC2_METADATA_SERVICE_ENDPOINT=%s", world->stub->endpoint);
    for (int n = 0; n < STEPS; n++) {
        for (int kind = 0; kind < KINDS; kind++) {
            struct stub_step steps[STEPS];
            struct aws *aws = NULL;
            struct sqs_queue *queue = NULL;
            struct aws_location location;
            char text[128];
            memcpy(steps, good, sizeof steps);
            steps[n] = bad[kind];
            stub_script(world->stub, steps, STEPS);
            snprintf(text, sizeof text, "sqs://q?region=r&endpoint=%s", world->stub->endpoint);
            assert_int_equal(aws_location_read(str_of(text), "sqs", stub_getenv, NULL, 0,
                                               &world->arena, &location, &world->err),
                             CODE_OK);
            error_clear(&world->err);
            enum code code =
                aws_open(&(struct aws_options){.environment = stub_getenv}, &aws, &world->err);
            if (code != CODE_OK) {
                assert_true(n < 3 && world->err.text[0]);
                continue;
            }
            struct aws_client *client =
                aws_client_new(&(struct aws_client_options){.aws = aws,
                                                            .service = &SQS_SERVICE,
                                                            .location = &location,
                                                            .attempt_ms = 100,
                                                            .backoff_ms = 1});
            code = sqs_open(client, HELD_MS, &queue, &world->err);
            assert_true(code == CODE_OK || world->err.text[0]);
            sqs_close(queue);
            aws_client_free(client);
            aws_free(aws);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_environment_comes_first),
        TEST(half_of_a_key_is_refused),
        TEST(a_profile_is_read_from_both_files),
        TEST(a_profile_that_cannot_be_used_is_an_error),
        TEST(a_web_identity_is_exchanged_at_sts),
        TEST(a_container_is_asked_with_its_token),
        TEST(the_instance_is_asked_last_by_version_2),
        TEST(nothing_anywhere_is_said_so),
        TEST(a_bad_moment_at_the_start_is_outlived),
        TEST(garbage_is_an_error_that_names_its_source),
        TEST(only_known_agents_are_asked),
        TEST(renewal_comes_five_minutes_early),
        TEST(renewals_in_vain_come_slower_and_slower),
        TEST(what_ended_is_renewed_once_for_all_who_ask),
        TEST(the_thread_renews_by_itself),
        TEST(an_expired_token_is_renewed_and_the_call_sent_again),
        TEST(any_request_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
