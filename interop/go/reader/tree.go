package reader

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
)

// tree is a value in a YAML or JSON file. Its methods record only the first error, and continue; after an error, what
// they return is meaningless.
type tree struct {
	path  string
	value any
	err   *error
}

func newTree(value any) tree { return tree{value: value, err: new(error)} }

func (t tree) fail(format string, args ...any) {
	if *t.err == nil {
		*t.err = fmt.Errorf("%s: %s", t.path, fmt.Sprintf(format, args...))
	}
}

func (t tree) at(name string, value any) tree {
	if t.path != "" {
		name = t.path + "." + name
	}
	return tree{name, value, t.err}
}

// mapping returns the fields of a mapping, whatever the fields' names.
func (t tree) mapping() map[string]tree {
	values, ok := t.value.(map[string]any)
	if !ok {
		t.fail("must be a mapping")
	}
	fields := map[string]tree{}
	for name, value := range values {
		fields[name] = t.at(name, value)
	}
	return fields
}

// fields returns the fields of a mapping, which must have all required fields, and may have the optional fields but
// no others.
func (t tree) fields(required []string, optional ...string) map[string]tree {
	fields := t.mapping()
	for name, field := range fields {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			field.fail("is an unknown field")
		}
	}
	for _, name := range required {
		if _, ok := fields[name]; !ok {
			fields[name] = t.at(name, nil)
			fields[name].fail("is missing")
		}
	}
	return fields
}

// list returns the values in a list, or no values if the field is missing.
func (t tree) list() []tree {
	if t.value == nil {
		return nil
	}
	values, ok := t.value.([]any)
	if !ok {
		t.fail("must be a list")
	}
	var list []tree
	for i, value := range values {
		list = append(list, t.at(fmt.Sprint(i), value))
	}
	return list
}

func (t tree) text() string {
	text, ok := t.value.(string)
	if !ok {
		t.fail("must be text")
	}
	return text
}

// oneOf returns one of the allowed values, or the first allowed value if the field is missing.
func (t tree) oneOf(values ...string) string {
	if t.value == nil {
		return values[0]
	}
	text := t.text()
	if !slices.Contains(values, text) {
		t.fail("must be one of %v", values)
	}
	return text
}

// number returns a whole number from 1 to most. A float64 represents such a number exactly.
func (t tree) number(most float64) int64 {
	n, ok := t.value.(float64)
	if !ok || n != math.Trunc(n) || n < 1 || n > most {
		t.fail("must be a whole number from 1 to %.0f", most)
		return 0
	}
	return int64(n)
}

// decodeBase64 decodes padded base64. Unlike Go's decoder, decodeBase64 refuses line ends.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.StdEncoding.DecodeString(text)
}

// base64 returns the bytes of padded base64.
func (t tree) base64(least, most int) []byte {
	content, err := decodeBase64(t.text())
	if err != nil || len(content) < least || len(content) > most {
		t.fail("must be base64 of %d to %d bytes", least, most)
	}
	return content
}
