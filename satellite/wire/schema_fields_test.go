package wire_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// field is one field of a format: its JSON type, and whether a writer always writes it.
type field struct {
	kind     string
	required bool
}

// fieldsOf lists the fields of a Go type by path; [] is an element, {} a value of a map.
func fieldsOf(t reflect.Type, path string, into map[string]field) string {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return "object"
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[wire.Digest](), t == reflect.TypeFor[[]byte]():
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return fieldsOf(t.Elem(), path, into)
	case reflect.Slice:
		into[path+"[]"] = field{kind: fieldsOf(t.Elem(), path+"[]", into)}
		return "array"
	case reflect.Map:
		into[path+"{}"] = field{kind: fieldsOf(t.Elem(), path+"{}", into)}
		return "object"
	case reflect.Struct:
		for i := range t.NumField() {
			name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			at := path + "." + name
			into[at] = field{fieldsOf(t.Field(i).Type, at, into), options != "omitempty"}
		}
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "integer"
	default:
		return "string"
	}
}

// schemaFolder walks schemas as plain JSON.
type schemaFolder map[string]map[string]any

// resolve follows references, and says in which file it ended.
func (f schemaFolder) resolve(t *testing.T, file string, node map[string]any) (string, map[string]any) {
	t.Helper()
	for node["$ref"] != nil {
		target, part, _ := strings.Cut(node["$ref"].(string), "#")
		if target != "" {
			file = strings.TrimSuffix(target, ".schema.json")
		}
		if f[file] == nil {
			f[file] = map[string]any{}
			into := f[file]
			decodeInto(t, made(os.ReadFile(filepath.Join(protocolFolder, "schemas", file+".schema.json")))(t), &into)
		}
		node = f[file]
		for step := range strings.SplitSeq(strings.TrimPrefix(part, "/"), "/") {
			if step != "" {
				node = node[step].(map[string]any)
			}
		}
	}
	return file, node
}

// fields lists the fields of a schema in the same way as fieldsOf.
func (f schemaFolder) fields(t *testing.T, file string, node map[string]any, path string, into map[string]field) string {
	t.Helper()
	file, node = f.resolve(t, file, node)
	properties, _ := node["properties"].(map[string]any)
	required, _ := node["required"].([]any)
	for name, property := range properties {
		at := path + "." + name
		into[at] = field{f.fields(t, file, property.(map[string]any), at, into), slices.Contains(required, any(name))}
	}
	if items, ok := node["items"].(map[string]any); ok {
		into[path+"[]"] = field{kind: f.fields(t, file, items, path+"[]", into)}
	}
	if values, ok := node["additionalProperties"].(map[string]any); ok {
		into[path+"{}"] = field{kind: f.fields(t, file, values, path+"{}", into)}
	}
	if kind, ok := node["type"].(string); ok {
		return kind
	}
	example := node["const"]
	if options, ok := node["enum"].([]any); ok {
		example = options[0]
	}
	switch example.(type) {
	case bool:
		return "boolean"
	case float64:
		return "integer"
	default:
		return "string"
	}
}

// described is each published Go type and where its schema stands.
var described = map[string]any{
	"request.schema.json#/properties/header": wire.Header{}, "request-data.schema.json": wire.RequestData{},
	"request-envelope.schema.json#/properties/signature": wire.Signature{}, "reply-envelope.schema.json#/properties/signature": wire.Signature{},
	"reply.schema.json#/properties/header": wire.ReplyHeader{}, "reply-data.schema.json": wire.ReplyData{},
	"manifest.schema.json": wire.Manifest{}, "record.schema.json": wire.Record{},
	"record.schema.json#/$defs/device": wire.DeviceRecord{}, "record.schema.json#/$defs/usage": wire.UsageRecord{},
	"record.schema.json#/$defs/token": wire.TokenRecord{}, "record.schema.json#/$defs/report": wire.ReportRecord{},
	"record.schema.json#/$defs/entitlement": wire.EntitlementRecord{}, "record.schema.json#/$defs/lot": wire.LotRecord{}, "record.schema.json#/$defs/acknowledgement": wire.AcknowledgementRecord{},
	"record.schema.json#/$defs/reservation": wire.ReservationRecord{}, "record.schema.json#/$defs/transfer": wire.TransferRecord{},
	"record.schema.json#/$defs/recovery": wire.RecoveryRecord{}, "record.schema.json#/$defs/revocation": wire.RevocationRecord{},
	"usage-report.schema.json#/$defs/payload": wire.ReportPayload{}, "usage-report.schema.json#/properties/signature": wire.ReportSignature{},
}

func TestSchemasNameEveryFieldOfTheProgramAndNoOther(t *testing.T) {
	t.Parallel()
	for reference, value := range described {
		program, schema := map[string]field{}, map[string]field{}
		fieldsOf(reflect.TypeOf(value), "", program)
		schemaFolder{}.fields(t, "", map[string]any{"$ref": reference}, "", schema)
		// Devices decide what stands in a report; which of it we need is in the prose.
		if strings.HasPrefix(reference, "usage-report") {
			for _, fields := range []map[string]field{program, schema} {
				for path, f := range fields {
					fields[path] = field{kind: f.kind}
				}
			}
		}
		for _, path := range slices.Sorted(maps.Keys(program)) {
			if got, known := schema[path]; !known || got != program[path] {
				t.Errorf("%s: %s is %+v in the program, %+v in the schema (known: %v)", reference, path, program[path], got, known)
			}
			delete(schema, path)
		}
		for path := range schema {
			t.Errorf("%s: the program has no %s", reference, path)
		}
	}
}

// The layers around them are written by the package alone: there the written fields are compared.
func TestSchemasOfTheOuterLayersNameWhatIsWritten(t *testing.T) {
	t.Parallel()
	for name, outer := range map[string]string{"request": "registration-request.json", "reply": "authorization-reply.json"} {
		var envelope, body map[string]any
		decodeInto(t, vector(t, outer), &envelope)
		inner, ok := envelope["request"].(string)
		if !ok {
			inner = envelope["response"].(string)
		}
		decodeInto(t, []byte(inner), &body)
		for file, written := range map[string]map[string]any{name + "-envelope": envelope, name: body} {
			_, schema := schemaFolder{}.resolve(t, "", map[string]any{"$ref": file + ".schema.json"})
			got, want := slices.Sorted(maps.Keys(schema["properties"].(map[string]any))), slices.Sorted(maps.Keys(written))
			if !slices.Equal(got, want) || len(schema["required"].([]any)) != len(want) {
				t.Errorf("%s names %v and requires %v, written is %v", file, got, schema["required"], want)
			}
		}
	}
}

func TestTheProseNamesEveryFieldCodeAndFile(t *testing.T) {
	t.Parallel()
	read := func(path ...string) string { return string(made(os.ReadFile(filepath.Join(path...)))(t)) }
	prose := map[string]string{}
	for _, name := range []string{"README.md", "messages.md", "sync.md", "usage-report.md"} {
		prose[name] = read(protocolFolder, name)
	}
	for reference, value := range described {
		fields := map[string]field{}
		fieldsOf(reflect.TypeOf(value), "", fields)
		for path := range fields {
			name := path[strings.LastIndex(path, ".")+1:]
			if name = strings.TrimRight(name, "[]{}"); !strings.Contains(strings.Join(slices.Collect(maps.Values(prose)), ""), "`"+name+"`") {
				t.Errorf("no page explains `%s` of %s", name, reference)
			}
		}
	}
	// Refusals: what the device path can say is explained, and what is explained can be said.
	code := regexp.MustCompile(`fail\(Kind\w+, "([a-z-]+)"`)
	said := map[string]bool{}
	for _, path := range made(filepath.Glob("../*.go"))(t) {
		for _, match := range code.FindAllStringSubmatch(read(path), -1) {
			said[match[1]] = true
			onDevicePath := slices.Contains([]string{"message.go", "registration.go", "authorization.go"}, filepath.Base(path))
			if onDevicePath && !strings.Contains(prose["messages.md"], "| `"+match[1]+"` |") {
				t.Errorf("messages.md does not explain the refusal `%s` of %s", match[1], path)
			}
		}
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (?:signed|unsigned|either|no reply)").FindAllStringSubmatch(prose["messages.md"], -1) {
		if !said[match[1]] {
			t.Errorf("messages.md explains the refusal `%s`, which the satellite does not know", match[1])
		}
	}
	for _, path := range append(made(filepath.Glob(vectorPath("*")))(t), made(filepath.Glob(filepath.Join(protocolFolder, "schemas", "*")))(t)...) {
		if !strings.Contains(prose["README.md"], filepath.Base(path)) {
			t.Errorf("README.md does not list %s", filepath.Base(path))
		}
	}
	var examples []digestExample
	decodeInto(t, vector(t, "digests.json"), &examples)
	for _, line := range append(examples[2].Records, digestLine{SHA256: examples[2].Digest}) {
		if !strings.Contains(prose["sync.md"], line.SHA256) || !strings.Contains(prose["sync.md"], line.Line) {
			t.Errorf("the worked example of sync.md is not the one of digests.json: %v", line)
		}
	}
}
