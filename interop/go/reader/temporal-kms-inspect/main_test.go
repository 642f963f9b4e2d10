package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"interop/reader"
)

func TestPrintsTheHeaderOfTheWorkedExample(t *testing.T) {
	text, err := os.ReadFile("../../../../packages/vectors/messages/envelope-v2.json")
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Vectors []struct {
			Name   string
			Stored struct{ Data string }
		}
	}
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	for _, v := range content.Vectors {
		if v.Name != "decrypts the worked example" {
			continue
		}
		data, err := hex.DecodeString(v.Stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		metadata := map[string][]byte{"encoding": []byte("binary/envelope-kms-v2")}
		payload, err := json.Marshal(reader.Payload{Metadata: metadata, Data: data})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := inspect(strings.NewReader(string(payload)), &out); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"format              envelope-v2\n",
			"key id              75de0bd4c48b85df\n",
			"namespace tag       14e007b29304087e54dbc9cf0aacd16a\n",
			"workflow tag        a21e659169ceccac5b6354b696ac6f1b\n",
			"commitment          f057b84069894a3f2e51a51b57641d0d\n",
		} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("%q isn't in %s", line, out.String())
			}
		}
		return
	}
	t.Fatal("no worked example")
}
