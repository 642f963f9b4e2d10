package reader

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxLevels = 16
	maxKey    = 500
)

// ParseYAML parses a file in the strict subset of YAML [K-1] to [K-5]. Values are map[string]any, []any,
// string, int64 and bool.
func ParseYAML(file []byte) (value any, err error) {
	lines, err := linesOf(file)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failed := recover(); failed != nil {
			var ok bool
			if err, ok = failed.(yamlError); !ok {
				panic(failed)
			}
		}
	}()
	p := &yamlParser{lines: lines}
	return p.document(), nil
}

// linesOf returns the lines before the end marker [K-1] [K-2].
func linesOf(file []byte) ([]string, error) {
	if len(file) > maxKeysFile || !utf8.Valid(file) {
		return nil, fmt.Errorf("the file is larger than 1 MiB or isn't UTF-8")
	}
	text := string(bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n")))
	for _, r := range text {
		if r != '\n' && !allowed(r) || r == 0xfffe || r == 0xffff {
			return nil, fmt.Errorf("the file contains the character %U", r)
		}
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	last := len(lines) - 1
	if lines[last] != "..." {
		return nil, fmt.Errorf("the file doesn't end with a line `...`")
	}
	for _, line := range lines[:last] {
		if strings.HasPrefix(line, "...") || strings.HasPrefix(line, "%") {
			return nil, fmt.Errorf("the file has a directive, or a line `...` before its end")
		}
	}
	return lines[:last], nil
}

// allowed reports whether text may contain a character. U+FFFE and U+FFFF are allowed only as escapes [K-1].
func allowed(r rune) bool {
	control := r < ' ' || r >= 0x7f && r < 0xa0
	return !control && r != 0x2028 && r != 0x2029 && r != 0xfeff && utf8.ValidRune(r)
}

// yamlError is the value that a parser panics with.
type yamlError string

func (e yamlError) Error() string { return string(e) }

// yamlParser is a recursive descent parser, whose position is a line and a byte in that line.
type yamlParser struct {
	lines       []string
	row, column int
	levels      int
}

func (p *yamlParser) fail(format string, args ...any) {
	panic(yamlError(fmt.Sprintf("line %d: %s", p.row+1, fmt.Sprintf(format, args...))))
}

// rest returns the rest of the current line, from the position.
func (p *yamlParser) rest() string {
	if p.row == len(p.lines) {
		return ""
	}
	return p.lines[p.row][p.column:]
}

func (p *yamlParser) byte() byte {
	if rest := p.rest(); rest != "" {
		return rest[0]
	}
	return 0
}

// next moves over spaces, comments and line ends to the next token. next also reports whether the token is the
// first token in its line.
func (p *yamlParser) next() (first bool) {
	first = p.column == 0
	for p.row < len(p.lines) {
		rest := strings.TrimLeft(p.rest(), " ")
		spaces := len(p.rest()) - len(rest)
		p.column += spaces
		if rest != "" && (rest[0] != '#' || p.column > 0 && spaces == 0) {
			return first
		}
		p.row, p.column, first = p.row+1, 0, true
	}
	return first
}

// nest begins a level of collections, checks the number of levels [K-5], and returns a function that ends the level.
func (p *yamlParser) nest() func() {
	if p.levels++; p.levels > maxLevels {
		p.fail("more than %d levels", maxLevels)
	}
	return func() { p.levels-- }
}

// document parses the file's only document [K-2].
func (p *yamlParser) document() any {
	fresh := p.next()
	if rest := p.rest(); p.column == 0 && (rest == "---" || strings.HasPrefix(rest, "--- ")) {
		p.column = 3
		fresh = p.next()
	}
	if p.row == len(p.lines) {
		p.fail("the document is empty")
	}
	value := p.block(-1, fresh)
	if p.row < len(p.lines) {
		p.fail("unexpected text")
	}
	return value
}

// block parses a node inside a block collection whose column is parent, and moves to the next token. A node can
// be a block collection only if it is fresh, which means that it isn't on the same line as its field name.
func (p *yamlParser) block(parent int, fresh bool) any {
	if fresh && p.isDash() {
		return p.blockList()
	}
	row, column := p.row, p.column
	value := p.flow(parent+1, false)
	if fresh && p.isColon(row, column, false) {
		return p.blockMapping(column, value)
	}
	p.endLine()
	return value
}

// endLine moves to the next token, which must be on another line.
func (p *yamlParser) endLine() {
	if !p.next() && p.row < len(p.lines) {
		p.fail("unexpected text")
	}
}

// isDash reports whether an entry of a list begins at the position.
func (p *yamlParser) isDash() bool {
	rest := p.rest()
	return rest == "-" || strings.HasPrefix(rest, "- ")
}

func (p *yamlParser) blockList() any {
	defer p.nest()()
	list, column := []any{}, p.column
	for p.column == column && p.isDash() && p.row < len(p.lines) {
		p.column++
		if p.next() && p.column <= column {
			p.fail("an entry has no value")
		}
		list = append(list, p.block(column, true))
	}
	if p.row < len(p.lines) && p.column > column {
		p.fail("wrong indentation")
	}
	return list
}

func (p *yamlParser) blockMapping(column int, first any) any {
	defer p.nest()()
	mapping := map[string]any{}
	for name := first; ; {
		p.column++ // over the colon
		fresh := p.next()
		isList := fresh && p.column == column && p.isDash()
		if p.row == len(p.lines) || fresh && p.column <= column && !isList {
			p.fail("the field %v has no value", name)
		}
		p.add(mapping, name, p.block(column, fresh))
		if p.row == len(p.lines) || p.column < column {
			return mapping
		}
		row, start := p.row, p.column
		if name = p.flow(column+1, false); start > column || !p.isColon(row, start, false) {
			p.fail("wrong indentation, or a field name without a colon")
		}
	}
}

// add adds a field [K-4].
func (p *yamlParser) add(mapping map[string]any, name, value any) {
	text, ok := name.(string)
	if !ok || slices.Contains([]string{"__proto__", "constructor", "prototype"}, text) {
		p.fail("the field name %v isn't text, or isn't allowed", name)
	}
	if _, twice := mapping[text]; twice {
		p.fail("the field %q occurs twice", text)
	}
	mapping[text] = value
}

// isColon moves to the colon after the field name that begins at a position, if there is one [K-4]. In
// a flow collection, no space needs to follow the colon.
func (p *yamlParser) isColon(row, start int, inside bool) bool {
	rest := strings.TrimLeft(p.rest(), " ")
	if p.row != row || rest != ":" && !strings.HasPrefix(rest, ": ") && !(inside && strings.HasPrefix(rest, ":")) {
		return false
	}
	p.column += len(p.rest()) - len(rest)
	if utf8.RuneCountInString(p.lines[row][start:p.column]) >= maxKey {
		p.fail("the colon is more than %d characters after the start of its field name", maxKey)
	}
	return true
}

// flow parses text or a flow collection. Each line of the collection must begin at the column indent or
// further to the right. The bracket that closes the outermost collection may be one column further to the
// left.
func (p *yamlParser) flow(indent int, inside bool) any {
	switch p.byte() {
	case '[', '{':
		return p.flowCollection(indent, inside)
	case '"', '\'':
		return p.quoted()
	default:
		return p.plain(inside)
	}
}

// flowNext moves to the next token of a flow collection, and reports whether that token ends the collection.
func (p *yamlParser) flowNext(indent int, end byte, inside bool) bool {
	first := p.next()
	isEnd := p.byte() == end
	if isEnd && !inside {
		indent--
	}
	if p.row == len(p.lines) || first && p.column < indent {
		p.fail("wrong indentation, or a bracket that isn't closed")
	}
	return isEnd
}

func (p *yamlParser) flowCollection(indent int, inside bool) any {
	defer p.nest()()
	isList := p.byte() == '['
	end := byte('}')
	if isList {
		end = ']'
	}
	list, mapping := []any{}, map[string]any{}
	p.column++
	for !p.flowNext(indent, end, inside) {
		row, column := p.row, p.column
		value := p.flow(indent, true)
		isField := p.isColon(row, column, true)
		switch {
		case isList && isField: // a list's entry `a: b` is a mapping of one field
			list = append(list, p.pair(indent, value))
		case isList:
			list = append(list, value)
		case isField:
			p.field(mapping, indent, value)
		default:
			p.fail("the field %v has no value", value)
		}
		if isEnd := p.flowNext(indent, end, inside); p.byte() == ',' {
			p.column++
		} else if !isEnd {
			p.fail("a comma or %c is missing", end)
		}
	}
	p.column++
	if isList {
		return list
	}
	return mapping
}

// field parses the value of a field in a flow collection, starting at the colon.
func (p *yamlParser) field(mapping map[string]any, indent int, name any) {
	p.column++
	p.flowNext(indent, 0, true)
	p.add(mapping, name, p.flow(indent, true))
}

func (p *yamlParser) pair(indent int, name any) any {
	defer p.nest()()
	mapping := map[string]any{}
	p.field(mapping, indent, name)
	return mapping
}

var (
	wholeNumber = regexp.MustCompile(`^(0|-?[1-9]\d{0,14})$`)
	reserved    = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
	indicators  = "-+.~=<:0123456789" + ",[]{}#&*!|>'\"%@`"
)

// plain parses text without quotes [K-3].
func (p *yamlParser) plain(inside bool) any {
	rest := p.rest()
	end := 0
	for ; end < len(rest); end++ {
		after := end + 1
		if rest[end] == ':' && (after == len(rest) || rest[after] == ' ' || inside && strings.IndexByte(",[]{}", rest[after]) >= 0) ||
			rest[end] == '#' && end > 0 && rest[end-1] == ' ' ||
			inside && strings.IndexByte(",[]{}", rest[end]) >= 0 {
			break
		}
	}
	text := strings.TrimRight(rest[:end], " ")
	p.column += len(text)
	switch {
	case text == "true" || text == "false":
		return text == "true"
	case wholeNumber.MatchString(text):
		number, _ := strconv.ParseInt(text, 10, 64)
		return number
	case text == "" || strings.IndexByte(indicators, text[0]) >= 0 || strings.Contains(text, "?") || reserved.MatchString(text):
		p.fail("not valid here without quotes: %q", text)
	}
	return text
}

var escapes = map[byte]string{'"': `"`, '\\': `\`, '/': "/", ' ': " ", '_': "\u00a0"}

// quoted parses text in quotes, which ends on its line [K-3].
func (p *yamlParser) quoted() any {
	rest := p.rest()
	quote, text := rest[0], &strings.Builder{}
	for i := 1; i < len(rest); i++ {
		switch {
		case quote == '\'' && strings.HasPrefix(rest[i:], "''"):
			i++
			text.WriteByte('\'')
		case rest[i] == quote:
			p.column += i + 1
			return text.String()
		case quote == '"' && rest[i] == '\\':
			i += p.escape(text, rest[i+1:])
		default:
			text.WriteByte(rest[i])
		}
	}
	p.fail("a quote isn't closed on its line")
	return nil
}

// escape writes the character that an escape represents, and returns the length of the escape after the
// backslash [K-1].
func (p *yamlParser) escape(text *strings.Builder, escape string) int {
	if escape != "" {
		if meaning, ok := escapes[escape[0]]; ok {
			text.WriteString(meaning)
			return 1
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[escape[0]]
		if digits > 0 && len(escape) > digits {
			code, err := strconv.ParseUint(escape[1:1+digits], 16, 32)
			if err == nil && code <= utf8.MaxRune && allowed(rune(code)) {
				text.WriteRune(rune(code))
				return 1 + digits
			}
		}
	}
	p.fail("not an escape, or an escape of a control character")
	return 0
}
