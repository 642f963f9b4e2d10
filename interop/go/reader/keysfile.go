package reader

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const maxKeysFile = 1 << 20

// ReadKeysFile reads the rules in a keys file. Paths of static keys are relative to the file's folder.
func ReadKeysFile(path string) (*Rules, error) {
	text, err := readFile(path, maxKeysFile)
	if err != nil {
		return nil, err
	}
	content, err := ParseYAML(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return newRules(content, func(entry tree) []byte {
		file := entry.fields([]string{"file"})["file"]
		name := file.text()
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		if *file.err != nil {
			return nil
		}
		key, err := readStaticKey(name)
		if err != nil {
			file.fail("%v", err)
		}
		return key
	})
}

// readFile reads a regular file that only its owner can write [K-9]. The readers in TypeScript and Python also check
// who the owner is, and the one in TypeScript also checks the folders.
func readFile(path string, limit int64) ([]byte, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() || named.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s isn't a regular file, or the group or others can write it", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	after, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(named, after) || after.ModTime() != named.ModTime() || after.Size() != int64(len(content)) {
		return nil, fmt.Errorf("%s is too large, or changed while it was read", path)
	}
	return content, nil
}

// readStaticKey reads a static key's file [K-10].
func readStaticKey(path string) ([]byte, error) {
	content, err := readFile(path, 128)
	if err != nil {
		return nil, err
	}
	if len(content) == 32 && strings.ContainsFunc(string(content), notPrintable) {
		return content, nil
	}
	text, _ := strings.CutSuffix(string(content), "\n")
	text, _ = strings.CutSuffix(text, "\r")
	if key, err := hex.DecodeString(text); err == nil && len(key) == 32 {
		return key, nil
	}
	if key, err := base64.StdEncoding.Strict().DecodeString(text); err == nil && len(key) == 32 && len(text) == 44 {
		return key, nil
	}
	return nil, errors.New("the file doesn't contain a static key of 32 bytes")
}

func notPrintable(r rune) bool {
	return (r < ' ' || r > '~') && (r < '\t' || r > '\r')
}
