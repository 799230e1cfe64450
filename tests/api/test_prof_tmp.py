import cProfile, pstats, time, json
import pytest
from tests.api.conftest import *
from tests.conftest import *
from tests.api.test_orders import ORDER
from tenants.context import tenant_scope
from django.db import connection
from django.test.utils import CaptureQueriesContext
def test_p(api, cast):
    rows=[{"source":"erp","external_id":str(n),"name":f"C{n}","country":"GB"} for n in range(1000)]
    p=cProfile.Profile(); t=time.perf_counter(); c=time.process_time()
    p.enable(); a=api.post("customers/batch",{"rows":rows}); p.disable()
    print("customers", time.perf_counter()-t, time.process_time()-c, a.json()["counts"])
    pstats.Stats(p).sort_stats("cumtime").print_stats(45)
    with CaptureQueriesContext(connection) as q: api.post("customers/batch",{"rows":rows[:10]})
    print("unchanged per 10", len(q)); 
    for s in [x["sql"][:150] for x in q][:16]: print("  ",s)
    t=time.perf_counter(); c=time.process_time(); a=api.post("customers/batch",{"rows":rows});print("again", time.perf_counter()-t, time.process_time()-c, a.json()["counts"])
    orders=[ORDER|{"source":"erp","external_id":str(n),"customer":{"external_id":str(n%50)}} for n in range(1000)]
    p=cProfile.Profile(); t=time.perf_counter(); c=time.process_time()
    p.enable(); a=api.post("orders/batch",{"rows":orders}); p.disable()
    print("orders", time.perf_counter()-t, time.process_time()-c, a.json()["counts"])
    pstats.Stats(p).sort_stats("cumtime").print_stats(60)
    with CaptureQueriesContext(connection) as q: api.post("orders/batch",{"rows":[orders[3]|{"external_id":"new"}]})
    for s in [x["sql"][:150] for x in q]: print("  ",s)
