// Runs a workflow with a large input as a Go application does: on a worker of Temporal's Go SDK with
// Temporal's driver for S3, and with the codec server as the remote codec. The program takes the credentials
// for S3 from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and prints one line of JSON: whether the
// result equals the input, and the result's length.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/aws/s3driver"
	"go.temporal.io/sdk/contrib/aws/s3driver/awssdkv2"
	"go.temporal.io/sdk/converter"
	temporallog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const taskQueue = "go-worker"

func echo(_ context.Context, text string) (string, error) {
	return text, nil
}

func keep(ctx workflow.Context, text string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var result string
	err := workflow.ExecuteActivity(ctx, "echo", text).Get(ctx, &result)
	return result, err
}

type report struct {
	IsSame bool `json:"isSame"`
	Length int  `json:"length"`
}

func main() {
	log.SetFlags(0)
	temporal := flag.String("temporal", "", "HOST:PORT of Temporal's frontend")
	namespace := flag.String("namespace", "", "Temporal namespace, also in the X-Namespace header")
	codec := flag.String("codec", "", "URL of the codec server, without /encode or /decode")
	endpoint := flag.String("s3", "", "URL of the S3 server")
	bucket := flag.String("bucket", "", "bucket for large payloads")
	workflowID := flag.String("workflow-id", "", "")
	text := flag.String("text", "", "is repeated until the input has 3 MB")
	flag.Parse()

	driver, err := s3driver.NewDriver(s3driver.Options{
		Client: awssdkv2.NewClient(s3.New(s3.Options{
			BaseEndpoint: endpoint,
			Region:       "us-east-1",
			UsePathStyle: true,
			Credentials:  aws.CredentialsProviderFunc(credentials),
		})),
		Bucket: s3driver.StaticBucket(*bucket),
	})
	if err != nil {
		log.Fatal(err)
	}
	remote := converter.NewRemoteDataConverter(
		converter.GetDefaultDataConverter(),
		converter.RemoteDataConverterOptions{
			Endpoint: *codec,
			ModifyRequest: func(request *http.Request) error {
				request.Header.Set("X-Namespace", *namespace)
				return nil
			},
		},
	)
	result, err := run(client.Options{
		HostPort:        *temporal,
		Namespace:       *namespace,
		DataConverter:   workflow.DataConverterWithoutDeadlockDetection(remote),
		ExternalStorage: converter.ExternalStorage{Drivers: []converter.StorageDriver{driver}},
		Logger:          temporallog.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))),
	}, *workflowID, strings.Repeat(*text, 3_000_000/len(*text)))
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}, nil
}

func run(options client.Options, workflowID, input string) (*report, error) {
	ctx := context.Background()
	temporal, err := client.Dial(options)
	if err != nil {
		return nil, err
	}
	defer temporal.Close()
	w := worker.New(temporal, taskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(keep, workflow.RegisterOptions{Name: "keep"})
	w.RegisterActivityWithOptions(echo, activity.RegisterOptions{Name: "echo"})
	if err := w.Start(); err != nil {
		return nil, err
	}
	defer w.Stop()
	start := client.StartWorkflowOptions{ID: workflowID, TaskQueue: taskQueue}
	handle, err := temporal.ExecuteWorkflow(ctx, start, "keep", input)
	if err != nil {
		return nil, err
	}
	var result string
	if err := handle.Get(ctx, &result); err != nil {
		return nil, err
	}
	return &report{IsSame: result == input, Length: len(result)}, nil
}
