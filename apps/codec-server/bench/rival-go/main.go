// A codec server with the HTTP handler of Temporal's Go SDK and a codec like that of Temporal's encryption
// sample: AES-256-GCM over the whole serialized payload, under a static key, without additional authenticated
// data. Unlike the sample, this server creates the cipher only once, which makes it faster. The server
// listens on the given port of 127.0.0.1.
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"log"
	"net/http"
	"os"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

const encoding = "binary/encrypted"

type codec struct {
	aead cipher.AEAD
}

func (c codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	result := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plaintext, err := proto.Marshal(payload)
		if err != nil {
			return payloads, err
		}
		nonce := make([]byte, c.aead.NonceSize(), c.aead.NonceSize()+len(plaintext)+c.aead.Overhead())
		if _, err := rand.Read(nonce); err != nil {
			return payloads, err
		}
		result[i] = &commonpb.Payload{
			Metadata: map[string][]byte{
				converter.MetadataEncoding: []byte(encoding),
				"encryption-key-id":        []byte("bench"),
			},
			Data: c.aead.Seal(nonce, nonce, plaintext, nil),
		}
	}
	return result, nil
}

func (c codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	result := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.Metadata[converter.MetadataEncoding]) != encoding {
			result[i] = payload
			continue
		}
		size := c.aead.NonceSize()
		if len(payload.Data) < size {
			return payloads, errors.New("ciphertext too short")
		}
		plaintext, err := c.aead.Open(nil, payload.Data[:size], payload.Data[size:], nil)
		if err != nil {
			return payloads, err
		}
		result[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plaintext, result[i]); err != nil {
			return payloads, err
		}
	}
	return result, nil
}

func main() {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		log.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		log.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) != 2 {
		log.Fatal("usage: rival PORT")
	}
	handler := converter.NewPayloadCodecHTTPHandler(codec{aead})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], handler))
}
