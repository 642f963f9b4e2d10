// Temporal-kms-inspect prints the format of the payload on standard input ({"metadata": {...}, "data": ...} in
// base64, as in an exported history), and the header of an envelope-v2 message. The program needs no keys.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"interop/reader"
)

func main() {
	log.SetFlags(0)
	if err := inspect(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func inspect(in io.Reader, out io.Writer) error {
	var payload reader.Payload
	if err := json.NewDecoder(in).Decode(&payload); err != nil {
		return err
	}
	format := reader.FormatOf(&payload)
	fmt.Fprintf(out, "format              %s\n", format)
	if format != reader.EnvelopeV2 {
		return nil
	}
	header, sealed, err := reader.ParseHeader(payload.Data)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "key id              %x\n", header.KeyID)
	fmt.Fprintf(out, "key version         %d\n", header.KeyVersion)
	fmt.Fprintf(out, "namespace tag       %x\n", header.NamespaceTag)
	if header.WorkflowTag != nil {
		fmt.Fprintf(out, "workflow tag        %x\n", *header.WorkflowTag)
	}
	fmt.Fprintf(out, "compressed          %t\n", header.Compressed)
	fmt.Fprintf(out, "salt                %x\n", header.Salt)
	fmt.Fprintf(out, "commitment          %x\n", header.Commitment)
	fmt.Fprintf(out, "wrapped branch key  %d bytes, SHA-256 %x\n", len(header.WrappedKey), sha256.Sum256(header.WrappedKey))
	fmt.Fprintf(out, "after the header    %d bytes\n", len(sealed))
	return nil
}
