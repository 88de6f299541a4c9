import pyomo.environ as pyo


def carry(m, case, link, flow_m3s):
    """A link carries at least a flow, which is the volume of a mean dekad."""
    m.add_component(f"carry_{link}", pyo.Constraint(expr=m.flow[link] >= flow_m3s * 0.864))


def serve(m, case, demand, volume_hm3):
    """A demand gets at least a volume in every dekad."""
    m.add_component(f"serve_{demand}", pyo.Constraint(expr=m.withdrawal[demand] >= volume_hm3))
