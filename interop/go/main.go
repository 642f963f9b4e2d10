// Calls a codec server as a Go application does: through the unmodified remote payload codec of Temporal's Go
// SDK. The program decodes the payloads on standard input ({"payloads": [...]}, proto3 JSON), encodes and
// decodes its arguments, and prints one line of JSON: {"decoded": [...], "encodings": [...], "returned":
// [...]}.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"os"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
)

type report struct {
	Decoded   []string `json:"decoded"`
	Encodings []string `json:"encodings"`
	Returned  []string `json:"returned"`
}

func main() {
	log.SetFlags(0)
	endpoint := flag.String("endpoint", "", "URL of the codec server, without /encode or /decode")
	namespace := flag.String("namespace", "", "value of the X-Namespace header")
	authorization := flag.String("authorization", "", "value of the Authorization header; not sent if empty")
	flag.Parse()
	result, err := run(*endpoint, *namespace, *authorization, flag.Args())
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func run(endpoint, namespace, authorization string, values []string) (*report, error) {
	codec := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: endpoint,
		ModifyRequest: func(request *http.Request) error {
			request.Header.Set("X-Namespace", namespace)
			if authorization != "" {
				request.Header.Set("Authorization", authorization)
			}
			return nil
		},
	})
	data := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), codec)

	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	var given commonpb.Payloads
	if err := protojson.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	result := &report{}
	for _, payload := range given.Payloads {
		var value string
		if err := data.FromPayload(payload, &value); err != nil {
			return nil, err
		}
		result.Decoded = append(result.Decoded, value)
	}
	for _, value := range values {
		encoded, err := data.ToPayload(value)
		if err != nil {
			return nil, err
		}
		var returned string
		if err := data.FromPayload(encoded, &returned); err != nil {
			return nil, err
		}
		result.Encodings = append(result.Encodings, string(encoded.Metadata["encoding"]))
		result.Returned = append(result.Returned, returned)
	}
	return result, nil
}
