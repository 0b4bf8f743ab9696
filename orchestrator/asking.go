package orchestrator

import "github.com/skaldhq/skald/orchestrator/saga"

// ask counts what a person is asked for by the facts of one write.
func (s *BatchStats) ask(facts []saga.Fact) {
	for i := range facts {
		switch f := &facts[i]; f.Type { //nolint:exhaustive // the others ask for nobody
		case saga.AttentionRaised:
			s.Raised = append(s.Raised, f.Reason)
		case saga.SagaSuspended:
			s.Suspended++
		case saga.SagaCompleted, saga.SagaCompensated, saga.SagaAbandoned, saga.CertificateAmended:
			if f.End != nil && (f.End.Verdict == saga.Residue || len(f.End.Residue) > 0) {
				s.Residue++
			}
		}
	}
}
