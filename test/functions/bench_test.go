package functions

import (
	"testing"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

// BenchmarkColdStart measures from the start of the process to the first answer,
// with the emulated platform's share of it. The bare function does nothing, on
// AWS's library and with the same flags.
func BenchmarkColdStart(b *testing.B) {
	if err := build("bare-lambda", forLambda, "./testdata/bare"); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"bare-lambda", "echo-lambda"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f, err := lambda.Start(lambda.Options{Binary: binary(name)})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Invoke(b.Context(), scheduler("minute"), lambda.InvokeOptions{}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				f.Close()
				b.StartTimer()
			}
		})
	}
	b.Run("echo-scf", func(b *testing.B) {
		for b.Loop() {
			f, err := scf.StartGo1(b.Context(), scf.Options{Binary: binary("echo-scf")})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := f.Invoke(b.Context(), scfTimer("minute"), scf.InvokeOptions{}); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			f.Close()
			b.StartTimer()
		}
	})
}
