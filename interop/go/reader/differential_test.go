package reader

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// TestDifferential compares this reader with the expectations in the file whose path follows -args. The file's
// first value contains the Cloud KMS responses that all messages share. Each further value is either a vector with
// additional responses, or the text of a keys file with the expected rules. The rules are null if the reader must
// refuse the keys file.
func TestDifferential(t *testing.T) {
	if flag.Arg(0) == "" {
		t.Skip("no file")
	}
	file, err := os.Open(flag.Arg(0))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	values := json.NewDecoder(file)
	var shared vectorKMS
	if err := values.Decode(&shared); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	compared := 0
	for ; ; compared++ {
		var value json.RawMessage
		if err := values.Decode(&value); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		t.Run(strconv.Itoa(compared), func(t *testing.T) {
			var line struct {
				message
				KeysFile *string `json:"keys_file"`
				Rules    any
			}
			if err := json.Unmarshal(value, &line); err != nil {
				t.Fatal(err)
			}
			if line.KeysFile == nil {
				line.KMS.Answers = slices.Concat(shared.Answers, line.KMS.Answers)
				line.check(t)
			} else {
				checkKeysFile(t, path, *line.KeysFile, line.Rules)
			}
			if t.Failed() {
				t.Logf("%s", value)
			}
		})
	}
	fmt.Println(compared, "compared")
}

func checkKeysFile(t *testing.T, path, text string, expected any) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, err := ReadKeysFile(path)
	switch {
	case err == nil && expected != nil:
		expectJSON(t, rulesJSON(rules), expected)
	case err == nil:
		t.Error("expected an error")
	case expected != nil:
		t.Error(err)
	}
}
