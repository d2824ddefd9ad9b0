//go:build !scf

package faas

import (
	"context"
	"errors"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// serveLambda serves AWS Lambda's Runtime API with aws-lambda-go, which sets
// the context's deadline. Lambda sets all environment variables at the start,
// so the handler is built while the first event is on its way.
func serveLambda(in *instance) error {
	go in.prebuild()
	lambda.StartWithOptions(lambdaHandler{in})
	return errors.New("aws-lambda-go returned")
}

// lambdaHandler is a lambda.Handler.
type lambdaHandler struct{ in *instance }

func (l lambdaHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	inv := Invocation{Function: lambdacontext.FunctionName}
	if c, ok := lambdacontext.FromContext(ctx); ok {
		inv.RequestID = c.AwsRequestID
	}
	return l.in.invoke(ctx, inv, event)
}
