module temporal-kms/kms-emulator-clients

go 1.26.0

require (
	cloud.google.com/go/kms v1.37.0
	github.com/getsops/sops/v3 v3.13.3
	github.com/hashicorp/go-kms-wrapping/v2 v2.0.17
	github.com/hashicorp/go-kms-wrapping/wrappers/gcpckms/v2 v2.0.13
	github.com/tink-crypto/tink-go-gcpkms/v2 v2.4.0
	github.com/tink-crypto/tink-go/v2 v2.9.0
	gocloud.dev v0.49.0
	google.golang.org/api v0.308.0
	google.golang.org/grpc v1.84.0
)
