#pragma once

// Two shares of the same trials, before and after something was done to them: what it cost.

#include <vector>

#include <diffusion/evaluate.h>

namespace diffusion {

// How much smaller the share that is right `after` is than that `before`, of the same things in the same
// order, and from 5% to 95% where the difference may lie for want of things (the score interval of Tango
// 1998, Statistics in Medicine 17:891): only those count that changed, in either direction, so it is much
// narrower than what intervals of the two shares would say, and where none changed it is not of no width.
// Each end is a bound of its own, of 95% on its side. Error(usage) for none, or for different counts.
Score share_lost(const std::vector<bool>& before, const std::vector<bool>& after);

// The same from counts: of `count` things, so many were lost, and so many won.
Score share_lost(int count, int lost, int won);

}  // namespace diffusion
