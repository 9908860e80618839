// The only C++ of the tree: simdjson's DOM, whose handles are two words each and are kept as such
// in our values.

#include <cstdbool>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <simdjson.h>
#include <string>
#include <vector>

// Our headers are C11: they name a call like the struct it makes, and know _Static_assert only.
#define _Static_assert static_assert
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#include "common/json.h"
}
#pragma GCC diagnostic pop
#undef _Static_assert

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

static_assert(NRS_JSON_PADDING >= simdjson::SIMDJSON_PADDING,
              "simdjson reads further than promised");

struct nrs_json {
    simdjson::dom::parser parser;
    simdjson::error_code error = simdjson::SUCCESS;
};

// One name of a path. Children are found by a hash over length and three of their bytes.
struct s_node {
    static constexpr size_t BUCKETS = 64;

    std::string name;
    int slot = -1;      // of the path that ends here; -1: none does
    int next = -1;      // next node in the same bucket of the parent
    bool inner = false; // has children
    int bucket[BUCKETS];

    s_node()
    {
        for (int &first : bucket)
            first = -1;
    }
};

struct nrs_json_paths {
    std::vector<s_node> nodes{ 1 };
    std::vector<std::string> texts;
};

// Keep a small trivially copyable handle of simdjson in two words of ours, and get it back.
template <typename T>
static void
s_keep(const T &handle, uint64_t words[2])
{
    static_assert(sizeof(T) == 2 * sizeof(uint64_t), "a handle is two words");
    static_assert(std::is_trivially_copyable<T>::value, "a handle is plain data");
    std::memcpy(words, static_cast<const void *>(&handle), sizeof(T));
}

template <typename T>
static T
s_handle(const uint64_t words[2])
{
    T handle;
    std::memcpy(static_cast<void *>(&handle), words, sizeof(T));
    return handle;
}

static nrs_bytes_t
s_bytes(std::string_view text)
{
    return nrs_bytes(text.data(), text.size());
}

static std::string_view
s_view(nrs_bytes_t text)
{
    return { reinterpret_cast<const char *>(text.data), text.size };
}

static void
s_value(const element &from, nrs_json_value_t *into)
{
    switch (from.type()) {
    case element_type::STRING:
        into->type = NRS_JSON_TEXT;
        into->text = s_bytes(from.get_string().value_unsafe());
        break;
    case element_type::INT64: {
        int64_t number = from.get_int64().value_unsafe();
        into->type = number < 0 ? NRS_JSON_INT : NRS_JSON_UINT;
        into->as.number = static_cast<uint64_t>(number);
        break;
    }
    case element_type::UINT64:
        into->type = NRS_JSON_UINT;
        into->as.number = from.get_uint64().value_unsafe();
        break;
    case element_type::DOUBLE:
        into->type = NRS_JSON_FLOAT;
        into->as.real = from.get_double().value_unsafe();
        break;
    case element_type::BOOL:
        into->type = NRS_JSON_BOOL;
        into->as.number = from.get_bool().value_unsafe();
        break;
    case element_type::NULL_VALUE:
        into->type = NRS_JSON_NULL;
        break;
    case element_type::ARRAY:
        into->type = NRS_JSON_LIST;
        s_keep(from, into->as.inside);
        break;
    case element_type::OBJECT:
        into->type = NRS_JSON_OBJECT;
        s_keep(from, into->as.inside);
        break;
    }
}

// --- parse ---------------------------------------------------------------------------------------

nrs_json_t *
nrs_json_new(void)
{
    nrs_json_t *self = new nrs_json();
    NRS_ASSERT(self->parser.allocate(4096, NRS_JSON_DEPTH_MAX) == simdjson::SUCCESS);
    return self;
}

void
nrs_json_destroy(nrs_json_t **self_p)
{
    delete *self_p;
    *self_p = nullptr;
}

nrs_err_t
nrs_json_parse(nrs_json_t *self, nrs_bytes_t text, nrs_json_value_t *ret_root)
{
    element root;
    self->error = self->parser.parse(text.data, text.size, false).get(root);
    NRS_ASSERT(self->error != simdjson::MEMALLOC);
    if (self->error == simdjson::DEPTH_ERROR || self->error == simdjson::CAPACITY)
        return NRS_E_LIMIT;
    if (self->error != simdjson::SUCCESS)
        return NRS_E_FORMAT;
    s_value(root, ret_root);
    return NRS_OK;
}

const char *
nrs_json_reason(const nrs_json_t *self)
{
    switch (self->error) {
    case simdjson::UTF8_ERROR:
        return "utf8";
    case simdjson::DEPTH_ERROR:
        return "depth";
    case simdjson::CAPACITY:
        return "too-long";
    default:
        return "json";
    }
}

const char *
nrs_json_problem(const nrs_json_t *self)
{
    return simdjson::error_message(self->error);
}

// --- look up -------------------------------------------------------------------------------------

nrs_json_value_t
nrs_json_get(const nrs_json_value_t *value, nrs_bytes_t name)
{
    nrs_json_value_t found = {};
    if (value->type != NRS_JSON_OBJECT)
        return found;
    object members = s_handle<element>(value->as.inside).get_object().value_unsafe();
    for (auto at = members.begin(); at != members.end(); ++at)
        if (at.key_length() == name.size && at.key() == s_view(name))
            s_value(at.value(), &found);
    return found;
}

nrs_json_walk_t
nrs_json_walk(const nrs_json_value_t *value)
{
    nrs_json_walk_t walk = {};
    if (value->type == NRS_JSON_OBJECT) {
        object members = s_handle<element>(value->as.inside).get_object().value_unsafe();
        walk.object = true;
        s_keep(members.begin(), walk.at);
        s_keep(members.end(), walk.end);
    } else if (value->type == NRS_JSON_LIST) {
        array items = s_handle<element>(value->as.inside).get_array().value_unsafe();
        s_keep(items.begin(), walk.at);
        s_keep(items.end(), walk.end);
    }
    return walk;
}

bool
nrs_json_walk_next(nrs_json_walk_t *walk, nrs_bytes_t *ret_name, nrs_json_value_t *ret_value)
{
    if (std::memcmp(walk->at, walk->end, sizeof walk->at) == 0)
        return false;
    *ret_value = {};
    nrs_bytes_t name = NRS_NONE;
    if (walk->object) {
        auto at = s_handle<object::iterator>(walk->at);
        name = s_bytes(at.key());
        s_value(at.value(), ret_value);
        s_keep(++at, walk->at);
    } else {
        auto at = s_handle<array::iterator>(walk->at);
        s_value(*at, ret_value);
        s_keep(++at, walk->at);
    }
    if (ret_name)
        *ret_name = name;
    return true;
}

static void
s_print_inside(const nrs_json_value_t *value, nrs_buf_t *into)
{
    bool object = value->type == NRS_JSON_OBJECT;
    nrs_buf_put(into, object ? "{" : "[", 1);
    nrs_json_walk_t walk = nrs_json_walk(value);
    nrs_bytes_t name;
    nrs_json_value_t item;
    for (bool first = true; nrs_json_walk_next(&walk, &name, &item); first = false) {
        if (!first)
            nrs_buf_put(into, ",", 1);
        if (object) {
            nrs_buf_put_json_string(into, name);
            nrs_buf_put(into, ":", 1);
        }
        nrs_json_print(&item, into);
    }
    nrs_buf_put(into, object ? "}" : "]", 1);
}

void
nrs_json_print(const nrs_json_value_t *value, nrs_buf_t *into)
{
    switch (value->type) {
    case NRS_JSON_TEXT:
        nrs_buf_put_json_string(into, value->text);
        break;
    case NRS_JSON_UINT:
        nrs_buf_printf(into, "%llu", static_cast<unsigned long long>(value->as.number));
        break;
    case NRS_JSON_INT:
        nrs_buf_printf(into, "%lld", static_cast<long long>(value->as.number));
        break;
    case NRS_JSON_FLOAT:
        nrs_buf_printf(into, "%.17g", value->as.real);
        break;
    case NRS_JSON_BOOL:
        nrs_buf_put_text(into, value->as.number ? "true" : "false");
        break;
    case NRS_JSON_LIST:
    case NRS_JSON_OBJECT:
        s_print_inside(value, into);
        break;
    default:
        nrs_buf_put_text(into, "null");
    }
}

// --- many members at once ------------------------------------------------------------------------

nrs_json_paths_t *
nrs_json_paths_new(void)
{
    return new nrs_json_paths();
}

void
nrs_json_paths_destroy(nrs_json_paths_t **self_p)
{
    delete *self_p;
    *self_p = nullptr;
}

static inline size_t
s_bucket(std::string_view name)
{
    if (name.empty())
        return 0;
    auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(name[i])); };
    size_t n = name.size();
    return (n + 7 * byte(0) + 31 * byte(n - 1) + 13 * byte(n / 2)) % s_node::BUCKETS;
}

static inline int
s_child(const nrs_json_paths_t *self, const s_node &parent, std::string_view name)
{
    int i = parent.bucket[s_bucket(name)];
    while (i >= 0 && self->nodes[static_cast<size_t>(i)].name != name)
        i = self->nodes[static_cast<size_t>(i)].next;
    return i;
}

static size_t
s_child_put(nrs_json_paths_t *self, size_t parent, std::string_view name)
{
    int found = s_child(self, self->nodes[parent], name);
    if (found >= 0)
        return static_cast<size_t>(found);
    size_t made = self->nodes.size();
    s_node node;
    node.name = name;
    node.next = self->nodes[parent].bucket[s_bucket(name)];
    self->nodes.push_back(node);
    self->nodes[parent].inner = true;
    self->nodes[parent].bucket[s_bucket(name)] = static_cast<int>(made);
    return made;
}

static bool
s_path_ok(std::string_view path)
{
    return !path.empty() && path.front() != '.' && path.back() != '.' &&
           path.find("..") == std::string_view::npos;
}

nrs_err_t
nrs_json_paths_add(nrs_json_paths_t *self, nrs_bytes_t path, size_t *ret_slot)
{
    std::string_view text = s_view(path);
    for (size_t i = 0; i < self->texts.size(); i++)
        if (self->texts[i] == text) {
            *ret_slot = i;
            return NRS_OK;
        }
    if (self->texts.size() == NRS_JSON_SLOTS_MAX || text.size() > NRS_JSON_PATH_MAX)
        return NRS_E_LIMIT;
    if (!s_path_ok(text))
        return NRS_E_FORMAT;
    int slot = static_cast<int>(self->texts.size());
    self->texts.emplace_back(text);
    self->nodes[s_child_put(self, 0, text)].slot = slot; // a member that is called so, dots and all
    size_t node = 0;
    for (std::string_view rest = text; !rest.empty();) {
        size_t dot = std::min(rest.find('.'), rest.size());
        node = s_child_put(self, node, rest.substr(0, dot));
        rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    self->nodes[node].slot = slot;
    *ret_slot = static_cast<size_t>(slot);
    return NRS_OK;
}

size_t
nrs_json_paths_count(const nrs_json_paths_t *self)
{
    return self->texts.size();
}

nrs_bytes_t
nrs_json_paths_text(const nrs_json_paths_t *self, size_t slot)
{
    return s_bytes(self->texts[slot]);
}

// Depth is bounded by the parser, and by the paths.
static void
s_pick(const object &members, const nrs_json_paths_t *paths, const s_node &node,
       nrs_json_value_t *values)
{
    for (auto at = members.begin(), end = members.end(); at != end; ++at) {
        int child = s_child(paths, node, at.key());
        if (child < 0)
            continue;
        const s_node &found = paths->nodes[static_cast<size_t>(child)];
        element value = at.value();
        if (found.slot >= 0)
            s_value(value, &values[found.slot]);
        if (found.inner && value.is_object())
            s_pick(value.get_object().value_unsafe(), paths, found, values);
    }
}

void
nrs_json_pick(const nrs_json_value_t *record, const nrs_json_paths_t *paths,
              nrs_json_value_t *values)
{
    for (size_t i = 0; i < paths->texts.size(); i++)
        values[i].type = NRS_JSON_ABSENT;
    if (record->type == NRS_JSON_OBJECT)
        s_pick(s_handle<element>(record->as.inside).get_object().value_unsafe(), paths,
               paths->nodes[0], values);
}
