package gateway

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"anteroom/store/chat"
	"anteroom/store/protocol"
)

// openapi is the OpenAPI 3.1 document of the route table. Schemas come from the
// Go types that are encoded and decoded, so they can't differ from the code.
func openapi(version string) map[string]any {
	if version == "" {
		version = "dev"
	}
	s := schemas{made: map[string]any{}}
	failure := s.of(reflect.TypeFor[errorBody]())
	paths := map[string]any{}
	for _, r := range routes() {
		path, _ := paths[r.path].(map[string]any)
		if path == nil {
			path = map[string]any{}
			paths[r.path] = path
		}
		path[strings.ToLower(r.method)] = s.operation(r, failure)
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title":   "Anteroom",
			"version": version,
			"description": "Ids, errors and events are those of the WebSocket protocol (/ws, store/protocol/PROTOCOL.md). " +
				"Unknown keys are ignored, keys are taken in one spelling, a key given twice is invalid. " +
				"A credential that is presented but not good is an error, never a fall-back to a guest.",
		},
		"paths": paths,
		"components": map[string]any{
			"schemas":         s.made,
			"securitySchemes": map[string]any{"credential": map[string]any{"type": "http", "scheme": "bearer", "description": "as_… (a log-in) or gs_… (a guest session)"}},
		},
	}
}

func (s schemas) operation(r route, failure any) map[string]any {
	op := map[string]any{"operationId": r.id, "summary": r.does, "x-caller": string(r.who)}
	var params []any
	for name := range strings.SplitSeq(r.path, "/") {
		if name, ok := strings.CutPrefix(name, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			params = append(params, map[string]any{"name": name, "in": "path", "required": true, "schema": s.of(idTypes[name])})
		}
	}
	for _, p := range r.query {
		params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.does, "schema": s.of(reflect.TypeOf(p.kind))})
	}
	if r.who != open && !slices.ContainsFunc(r.query, func(p param) bool { return p.name == "guest_session" }) {
		params = append(params, map[string]any{
			"name": "guest_session", "in": "query", "description": "must agree with the credential: \"guest session mismatch\" otherwise",
			"schema": s.of(reflect.TypeFor[chat.GuestSessionID]()),
		})
	}
	if params != nil {
		op["parameters"] = params
	}
	switch r.who {
	case open:
		op["security"] = []any{}
	case anyone:
		op["security"] = []any{map[string]any{}, map[string]any{"credential": []any{}}}
	default:
		op["security"] = []any{map[string]any{"credential": []any{}}}
	}
	if r.body != nil {
		op["requestBody"] = map[string]any{"required": true, "content": jsonOf(s.of(reflect.TypeOf(r.body)))}
	}
	answers := map[string]any{}
	for _, status := range r.status {
		answer := map[string]any{"description": "done"}
		if r.answer != nil {
			answer["content"] = jsonOf(s.of(reflect.TypeOf(r.answer)))
		}
		answers[strconv.Itoa(status)] = answer
	}
	for status, codes := range failures(r) {
		answers[strconv.Itoa(status)] = map[string]any{"description": strings.Join(codes, ", "), "content": jsonOf(failure)}
	}
	op["responses"] = answers
	return op
}

// failures are the error codes a route may answer, by status.
func failures(r route) map[int][]string {
	can := []chat.Code{chat.CodeInvalid, chat.CodeRateLimited, chat.CodeInternal}
	if r.who != open || r.body != nil || r.id == "ready" {
		can = append(can, chat.CodeUnavailable, chat.CodeShutdown)
	}
	if r.method != "GET" && r.path != "/healthz" {
		can = append(can, chat.CodeTooLarge, chat.CodeStorageFull)
	}
	if r.who != open {
		can = append(can, chat.CodeUnauthenticated, chat.CodeSessionExpired, chat.CodeAccessDenied)
	}
	can = append(can, chat.CodeAccessDenied) // another origin
	can = append(can, r.codes...)
	slices.Sort(can)
	out := map[int][]string{}
	for _, code := range slices.Compact(can) {
		status := chat.OutcomeOf(code).Status
		out[status] = append(out[status], string(code))
	}
	return out
}

func jsonOf(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

var idTypes = map[string]reflect.Type{
	"room":    reflect.TypeFor[chat.RoomID](),
	"user":    reflect.TypeFor[chat.UserID](),
	"session": reflect.TypeFor[chat.AccountSessionID](),
}

// plain are the named strings whose values have a form.
var plain = map[reflect.Type]map[string]any{
	reflect.TypeFor[chat.RoomID]():           id("r_"),
	reflect.TypeFor[chat.UserID]():           id("u_"),
	reflect.TypeFor[chat.VendorID]():         id("v_"),
	reflect.TypeFor[chat.GuestSessionID]():   id("g_"),
	reflect.TypeFor[chat.AccountSessionID](): id("s_"),
	reflect.TypeFor[chat.Identity]():         {"type": "string", "pattern": "^([ug]_[a-z2-7]{26})?$"},
	reflect.TypeFor[chat.ClientID]():         {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"},
	reflect.TypeFor[chat.Surface]():          {"type": "string", "enum": []any{"widget", "inbox"}},
	reflect.TypeFor[chat.RoomFilter]():       {"type": "string", "enum": []any{"", "open", "unread", "closed"}},
	reflect.TypeFor[chat.Code]():             {"type": "string", "enum": codeNames()},
}

func id(prefix string) map[string]any {
	return map[string]any{"type": "string", "pattern": "^" + prefix + "[a-z2-7]{26}$"}
}

func codeNames() []any {
	var names []any
	for _, o := range chat.Outcomes {
		names = append(names, string(o.Code))
	}
	return names
}

// schemas makes JSON schemas of Go types; structs become components.
type schemas struct{ made map[string]any }

func (s schemas) of(t reflect.Type) any {
	if p, ok := plain[t]; ok {
		return p
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return map[string]any{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return map[string]any{"type": "object"}
		}
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if t == reflect.TypeFor[protocol.Error]() {
			name = "Error"
		}
		if _, ok := s.made[name]; !ok {
			s.made[name] = nil // ends recursion
			properties, required := map[string]any{}, []any{}
			s.fields(t, properties, &required)
			s.made[name] = map[string]any{"type": "object", "properties": properties, "required": required}
		}
		return map[string]any{"$ref": "#/components/schemas/" + name}
	}
	panic("gateway: no schema for " + t.String()) // a programming error: routes are constant
}

func (s schemas) fields(t reflect.Type, properties map[string]any, required *[]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		properties[name] = s.of(f.Type)
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}
