//go:build scf

package faas

import "errors"

func serveLambda(*instance) error {
	return errors.New("this binary is built for SCF: deploy the one in dist/lambda to Lambda")
}
