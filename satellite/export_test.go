package satellite

import "context"

// MoveHome is moveHome in a transaction of its own, for stories.
func (s *Service) MoveHome(ctx context.Context, actor Actor, account AccountID, from, to VirtualAccountID) error {
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error { return moveHome(tx, record, account, from, to, now) })
}
