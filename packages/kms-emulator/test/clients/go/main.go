// Runs Cloud KMS clients against the emulator. Each client encrypts and decrypts under one key, and prints
// `NAME ok` or an error.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"

	kms "cloud.google.com/go/kms/apiv1"
	"cloud.google.com/go/kms/apiv1/kmspb"
	sops "github.com/getsops/sops/v3/gcpkms"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/gcpckms/v2"
	tinkkms "github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms"
	"gocloud.dev/secrets/gcpkms"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var secret = []byte("a data key of 32 bytes, in theory")

// A roundTrip encrypts the secret under a key, and returns the bytes that it decrypts from the ciphertext.
type roundTrip func(ctx context.Context, key string) ([]byte, error)

func main() {
	address, url, key := os.Args[1], os.Args[2], os.Args[3]
	overGRPC := []option.ClientOption{
		option.WithEndpoint(address),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		option.WithoutAuthentication(),
	}
	overREST := []option.ClientOption{option.WithEndpoint(url), option.WithHTTPClient(http.DefaultClient)}
	clients := []struct {
		name string
		run  roundTrip
	}{
		{"google-grpc", google(func(ctx context.Context) (*kms.KeyManagementClient, error) {
			return kms.NewKeyManagementClient(ctx, overGRPC...)
		})},
		{"google-rest", google(func(ctx context.Context) (*kms.KeyManagementClient, error) {
			return kms.NewKeyManagementRESTClient(ctx, overREST...)
		})},
		{"tink-grpc", tink(tinkkms.TransportGRPC, overGRPC)},
		{"tink-rest", tink(tinkkms.TransportREST, overREST)},
		{"gocloud", goCloud(overGRPC)},
		{"sops-rest", sopsKey},
		{"go-kms-wrapping", wrapper},
	}
	for _, client := range clients {
		decrypted, err := client.run(context.Background(), key)
		switch {
		case err != nil:
			fmt.Printf("%s failed: %v\n", client.name, err)
		case !bytes.Equal(decrypted, secret):
			fmt.Printf("%s failed: the decrypted bytes differ\n", client.name)
		default:
			fmt.Printf("%s ok\n", client.name)
		}
	}
}

func google(connect func(context.Context) (*kms.KeyManagementClient, error)) roundTrip {
	return func(ctx context.Context, key string) ([]byte, error) {
		client, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		encrypted, err := client.Encrypt(ctx, &kmspb.EncryptRequest{Name: key, Plaintext: secret})
		if err != nil {
			return nil, err
		}
		decrypted, err := client.Decrypt(ctx, &kmspb.DecryptRequest{Name: key, Ciphertext: encrypted.Ciphertext})
		return decrypted.GetPlaintext(), err
	}
}

func tink(transport tinkkms.Transport, options []option.ClientOption) roundTrip {
	return func(ctx context.Context, key string) ([]byte, error) {
		uri := "gcp-kms://" + key
		client, err := tinkkms.NewClient(ctx, uri, tinkkms.WithTransport(transport), tinkkms.WithGoogleAPIClientOptions(options...))
		if err != nil {
			return nil, err
		}
		aead, err := client.GetAEAD(uri)
		if err != nil {
			return nil, err
		}
		encrypted, err := aead.Encrypt(secret, []byte("context"))
		if err != nil {
			return nil, err
		}
		return aead.Decrypt(encrypted, []byte("context"))
	}
}

func goCloud(options []option.ClientOption) roundTrip {
	return func(ctx context.Context, key string) ([]byte, error) {
		client, err := kms.NewKeyManagementClient(ctx, options...)
		if err != nil {
			return nil, err
		}
		keeper := gcpkms.OpenKeeper(client, key, nil)
		defer keeper.Close()
		encrypted, err := keeper.Encrypt(ctx, secret)
		if err != nil {
			return nil, err
		}
		return keeper.Decrypt(ctx, encrypted)
	}
}

// sops reads the address, the transport and a token from SOPS_GCP_KMS_ENDPOINT, SOPS_GCP_KMS_CLIENT_TYPE and
// GOOGLE_OAUTH_ACCESS_TOKEN.
func sopsKey(ctx context.Context, key string) ([]byte, error) {
	master := sops.NewMasterKeyFromResourceID(key)
	if err := master.EncryptContext(ctx, secret); err != nil {
		return nil, err
	}
	return master.DecryptContext(ctx)
}

// HashiCorp's wrapper has no option for the address. The wrapper connects to cloudkms.googleapis.com through
// HTTPS_PROXY, and trusts the authority in SSL_CERT_FILE.
func wrapper(ctx context.Context, key string) ([]byte, error) {
	names := strings.Split(key, "/")
	wrapper := gcpckms.NewWrapper()
	_, err := wrapper.SetConfig(ctx, wrapping.WithConfigMap(map[string]string{
		"credentials": os.Getenv("WRAPPER_CREDENTIALS"),
		"project":     names[1],
		"region":      names[3],
		"key_ring":    names[5],
		"crypto_key":  names[7],
	}))
	if err != nil {
		return nil, err
	}
	defer wrapper.Client().Close()
	encrypted, err := wrapper.Encrypt(ctx, secret)
	if err != nil {
		return nil, err
	}
	return wrapper.Decrypt(ctx, encrypted)
}
